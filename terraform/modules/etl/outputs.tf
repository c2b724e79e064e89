output "job" {
  description = "Glue job."
  value       = { name = aws_glue_job.etl.name, arn = aws_glue_job.etl.arn }
}

output "database" {
  description = "Catalog database."
  value       = aws_glue_catalog_database.lake.name
}

output "role" {
  description = "Name of the job's role."
  value       = aws_iam_role.job.name
}
