output "task" {
  description = "The program's task definition and role, or null."
  value       = var.task == null ? null : { definition = module.task[0].definition, role = module.task[0].role }
}

output "database" {
  description = "Catalog database."
  value       = aws_glue_catalog_database.lake.name
}
