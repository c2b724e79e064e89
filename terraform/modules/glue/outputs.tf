output "job" {
  description = "Glue job."
  value       = { name = aws_glue_job.etl.name, arn = aws_glue_job.etl.arn }
}

output "role" {
  description = "Name of the job's role."
  value       = aws_iam_role.job.name
}
