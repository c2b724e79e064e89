output "role_arn" {
  description = "ARN of the role that a runner assumes."
  value       = aws_iam_role.this.arn
}
