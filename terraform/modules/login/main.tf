# A database's login, in the form in which RDS stores one. Terraform writes the value and never
# reads it: no plan and no state contains it.

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:For a database outside RDS, whose owner changes the password. RDS rotates the logins that it creates.
  name                    = var.name
  description             = var.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 0 # so that the name can be used again at once
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = jsonencode({ username = var.username, password = var.password })
  secret_string_wo_version = 1
}
