mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                 = "kindred-test-recommend"
  description          = "A function"
  region               = "eu-west-1"
  kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  package_path         = "main.tf"
  memory_mib           = 512
  timeout_seconds      = 60
  reserved_concurrency = 20
  tracing              = "Active"
  vector_database      = { dsn = "postgres://recommend@h:5432/kindred", iam = { resource_id = "db-X", user = "recommend" } }
  vpc                  = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  alias                = "live"
  log_retention_days   = 365
}

run "called_by_its_alias_and_closed" {

  assert {
    condition     = endswith(output.called_arn, ":live") && output.alias == "live" && aws_lambda_function.this.publish
    error_message = "a release must be an alias's version, so that it can be taken back"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : alltrue([for a in s.actions : !strcontains(a, "*")])])
    error_message = "exact actions only"
  }

  assert {
    condition     = anytrue([for s in data.aws_iam_policy_document.this.statement : s.effect == "Deny" && contains(s.actions, "ec2:CreateNetworkInterface")])
    error_message = "the code must not make interfaces"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["PGVECTOR_IAM_AUTH"] == "true"
    error_message = "no password in the environment"
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "environment and log must be encrypted with the key"
  }
}

run "bare" {
  command = plan

  variables {
    vpc             = null
    alias           = null
    kms_key_arn     = null
    tracing         = "PassThrough"
    vector_database = { dsn = "postgres://u:p@h/d" }
  }

  assert {
    condition     = length(aws_lambda_alias.this) == 0 && length(data.aws_iam_policy_document.this.statement) == 1
    error_message = "an emulator gets the function and its log"
  }
}

run "refuses_another_architecture" {
  command = plan

  variables {
    architecture = "mips"
  }

  expect_failures = [var.architecture]
}

run "refuses_a_long_run" {
  command = plan

  variables {
    timeout_seconds = 901
  }

  expect_failures = [var.timeout_seconds]
}

run "refuses_little_memory" {
  command = plan

  variables {
    memory_mib = 64
  }

  expect_failures = [var.memory_mib]
}

run "refuses_other_tracing" {
  command = plan

  variables {
    tracing = "Sometimes"
  }

  expect_failures = [var.tracing]
}

run "refuses_a_password_beside_iam" {
  command = plan

  variables {
    vector_database = { dsn = "postgres://u:p@h/d", iam = { resource_id = "db-X", user = "u" } }
  }

  expect_failures = [var.vector_database]
}
