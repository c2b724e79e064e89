output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "role" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}

output "called_arn" {
  description = "ARN to call: the alias's, or the function's if it has no alias."
  value       = var.alias == null ? aws_lambda_function.this.arn : aws_lambda_alias.this[0].arn
}

output "alias" {
  description = "Alias to call, or null."
  value       = one(aws_lambda_alias.this[*].name)
}

output "version" {
  description = "Version of the newest code."
  value       = aws_lambda_function.this.version
}
