output "function" {
  description = "The function."
  value       = { name = module.function.name, version = module.function.version }
}

output "role" {
  description = "Name of the function's role."
  value       = module.function.role
}
