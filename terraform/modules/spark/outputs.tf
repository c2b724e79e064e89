output "job" {
  description = "Glue job."
  value       = { name = aws_glue_job.train.name, arn = aws_glue_job.train.arn }
}
