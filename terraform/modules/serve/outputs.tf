output "function" {
  description = "The function and its URL."
  value       = { name = module.function.name, version = module.function.version, url = aws_lambda_function_url.this.function_url }
}

output "role" {
  description = "Name of the function's role."
  value       = module.function.role
}
