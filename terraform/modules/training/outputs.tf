output "chain" {
  description = "State machine etl, train, publish."
  value       = { arn = aws_sfn_state_machine.chain.arn, name = aws_sfn_state_machine.chain.name }
}

output "repository_url" {
  description = "Where the image is pushed."
  value       = aws_ecr_repository.batch.repository_url
}

output "cluster" {
  description = "Cluster of the programs' tasks."
  value       = aws_ecs_cluster.batch.name
}

output "tasks" {
  description = "Task definitions by program."
  value       = { for k, d in aws_ecs_task_definition.program : k => d.arn }
}

output "roles" {
  description = "Names of the roles by program."
  value       = { for k, r in aws_iam_role.program : k => r.name }
}
