mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "kindred-test-shop"
  description = "A login"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  username    = "shop"
  password    = "a test's"
}

run "keeps_no_value" {

  assert {
    condition     = aws_secretsmanager_secret_version.this.secret_string == null && aws_secretsmanager_secret_version.this.secret_string_wo == null
    error_message = "the state must not hold the login"
  }

  assert {
    condition     = aws_secretsmanager_secret.this.kms_key_id == var.kms_key_arn
    error_message = "the secret must be encrypted with the key"
  }
}

run "refuses_no_password" {
  command = plan

  variables {
    password = ""
  }

  expect_failures = [var.password]
}
