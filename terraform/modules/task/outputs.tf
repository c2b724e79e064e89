output "definition" {
  description = "Task definition: its newest revision, and the ARN without revision."
  value       = { arn = aws_ecs_task_definition.this.arn, arn_without_revision = aws_ecs_task_definition.this.arn_without_revision }
}

output "role" {
  description = "The program's role."
  value       = { name = aws_iam_role.this.name, arn = aws_iam_role.this.arn }
}

output "log_group_name" {
  description = "The program's log group."
  value       = aws_cloudwatch_log_group.this.name
}
