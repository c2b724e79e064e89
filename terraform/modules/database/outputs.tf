output "database" {
  description = "What a client needs to connect."
  value = {
    host        = aws_db_instance.this.address
    port        = aws_db_instance.this.port
    name        = aws_db_instance.this.db_name
    username    = aws_db_instance.this.username
    resource_id = aws_db_instance.this.resource_id
    secret_arn  = aws_db_instance.this.master_user_secret[0].secret_arn
    identifier  = aws_db_instance.this.identifier
  }
}

output "backup_days" {
  description = "How long RDS keeps its backups."
  value       = aws_db_instance.this.backup_retention_period
}

output "log_days" {
  description = "How long the logs are kept."
  value       = var.log_retention_days
}
