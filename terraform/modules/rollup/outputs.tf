output "task" {
  description = "The program's task definition and role."
  value       = { definition = module.task.definition, role = module.task.role }
}

output "log_group_name" {
  description = "The program's log group."
  value       = module.task.log_group_name
}
