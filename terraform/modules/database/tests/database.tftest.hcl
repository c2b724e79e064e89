mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name              = "kindred-test"
  engine            = "mysql"
  database          = "shop"
  subnet_ids        = ["subnet-1", "subnet-2"]
  security_group_id = "sg-1"
  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "closed" {
  command = plan

  assert {
    condition     = !aws_db_instance.this.performance_insights_enabled
    error_message = "RDS refuses Performance Insights for MySQL on a micro"
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted
    error_message = "private and encrypted"
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS keeps the password, not the state"
  }

  assert {
    condition     = aws_db_instance.this.iam_database_authentication_enabled
    error_message = "IAM authentication must be possible"
  }

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot
    error_message = "protected unless asked otherwise"
  }

  assert {
    condition     = anytrue([for p in aws_db_parameter_group.this.parameter : p.name == "require_secure_transport" && p.value == "1"])
    error_message = "TLS must be required"
  }
}

run "every_exported_log_has_its_end" {
  command = plan

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(keys(aws_cloudwatch_log_group.this)) && alltrue([for g in aws_cloudwatch_log_group.this : g.retention_in_days > 0])
    error_message = "RDS must find its log groups, or it makes some that are kept for ever"
  }
}

run "postgres_takes_tls_only" {
  command = plan

  variables {
    engine   = "postgres"
    database = "kindred"
  }

  assert {
    condition     = anytrue([for p in aws_db_parameter_group.this.parameter : p.name == "rds.force_ssl" && p.value == "1"])
    error_message = "TLS must be required"
  }
}

run "refuses_another_engine" {
  command = plan

  variables {
    engine = "oracle"
  }

  expect_failures = [var.engine]
}

run "refuses_another_class" {
  command = plan

  variables {
    instance_class = "t4g.micro"
  }

  expect_failures = [var.instance_class]
}

run "refuses_little_storage" {
  command = plan

  variables {
    storage_gib = 5
  }

  expect_failures = [var.storage_gib]
}
