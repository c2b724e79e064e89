output "task" {
  description = "The program's task definition and role."
  value       = { definition = module.task.definition, role = module.task.role }
}
