output "task" {
  description = "The task definition."
  value       = module.task.definition.arn
}

output "role" {
  description = "Name of the operators' role."
  value       = aws_iam_role.operator.name
}
