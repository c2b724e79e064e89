output "function" {
  description = "The function and its URL."
  value       = { name = module.function.name, version = module.function.version, url = aws_lambda_function_url.this.function_url }
}

output "target" {
  description = "What a front calls: the function, and the name and the ARN of its alias."
  value       = { name = module.function.name, alias = module.function.alias, alias_arn = module.function.called_arn }
}

output "role" {
  description = "Name of the function's role."
  value       = module.function.role
}
