mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "kindred-test"
  region             = "eu-west-1"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
  execution_role_arn = "arn:aws:iam::123456789012:role/mock"
  buckets            = { for name in ["lake", "artifacts", "recommendations"] : name => { name = name, arn = "arn:aws:s3:::${name}" } }
  vector_database    = { dsn = "postgres://db:5432/kindred", username = "kindred", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf" }
  size               = { cpu = 1024, memory_mib = 8192, storage_gib = 21 }
  protect            = true

  kept_elsewhere_hours = { "events on the stream" = 24, "backups" = 168 }
}

run "looks_everywhere" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : length(s.resources) == 3 if contains(s.actions, "s3:ListBucketVersions") || contains(s.actions, "s3:DeleteObjectVersion")])
    error_message = "erase reads and deletes in all three buckets, and in what S3 keeps of them"
  }

  assert {
    condition     = aws_secretsmanager_secret.this.recovery_window_in_days == 30
    error_message = "a deleted secret of a protected environment can be brought back"
  }
}

run "other_hours" {
  command = plan

  variables {
    kept_elsewhere_hours = { "a=b" = 24 }
  }

  expect_failures = [var.kept_elsewhere_hours]
}

run "other_buckets" {
  command = plan

  variables {
    buckets = { lake = { name = "lake", arn = "arn:aws:s3:::lake" } }
  }

  expect_failures = [var.buckets]
}
