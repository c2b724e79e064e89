# A database's login as RDS keeps it. The value is written and never read: no plan and no state holds it.

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:For a database that is not RDS, whose password its owner changes; where RDS makes the login, RDS rotates it.
  name                    = var.name
  description             = var.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 0 # the name is free again at once
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = jsonencode({ username = var.username, password = var.password })
  secret_string_wo_version = 1
}
