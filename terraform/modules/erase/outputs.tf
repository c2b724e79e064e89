output "task" {
  description = "The program's task definition and role."
  value       = { definition = module.task.definition, role = module.task.role }
}

output "log_group_name" {
  description = "The program's log group."
  value       = module.task.log_group_name
}

output "secret_arn" {
  description = "Secret of the list of erased persons."
  value       = aws_secretsmanager_secret.this.arn
}
