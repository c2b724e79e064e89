output "arn" {
  description = "ARN of the secret: {username, password}."
  value       = aws_secretsmanager_secret.this.arn
}
