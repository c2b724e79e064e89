mock_provider "aws" {
  source = "../../mocks"
}

variables {
  erase_secret_arn  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:erase-AbCdEf"
  name              = "kindred-test"
  region            = "eu-west-1"
  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  lake_bucket       = { name = "lake", arn = "arn:aws:s3:::lake" }
  code_bucket       = { name = "code", arn = "arn:aws:s3:::code" }
  source_database   = { host = "h", port = 3306, name = "shop", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s" }
  subnet            = { id = "subnet-1", availability_zone = "eu-west-1a" }
  security_group_id = "sg-1"
  launcher_path     = "main.tf"
  program_path      = "variables.tf"
  ca_path           = "outputs.tf"
}

run "job" {
  command = plan

  assert {
    condition     = aws_glue_job.etl.glue_version == "5.0" && aws_glue_job.etl.max_retries == 0
    error_message = "the chain retries, not the job"
  }

  assert {
    condition     = alltrue([for k, v in aws_glue_job.etl.default_arguments : !strcontains(lower(k), "password")])
    error_message = "no argument may hold a password"
  }

  assert {
    condition     = [for g in aws_cloudwatch_log_group.job : g.name] == ["/aws-glue/jobs/kindred-test-etl-role/kindred-test-etl/error", "/aws-glue/jobs/kindred-test-etl-role/kindred-test-etl/output"]
    error_message = "Glue 5.0 names its log groups by security configuration and role; others stay empty"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.job.statement : alltrue([for a in s.actions : !strcontains(a, "*")])])
    error_message = "exact actions only"
  }
}

run "refuses_one_worker" {
  command = plan

  variables {
    workers = 1
  }

  expect_failures = [var.workers]
}

run "refuses_no_time" {
  command = plan

  variables {
    timeout_minutes = 0
  }

  expect_failures = [var.timeout_minutes]
}

run "refuses_a_bad_port" {
  command = plan

  variables {
    source_database = { host = "h", port = 0, name = "shop", secret_arn = "s" }
  }

  expect_failures = [var.source_database]
}

run "mapping" {
  command = plan

  variables {
    shop = { name = "books", mapping_path = "tests/glue.tftest.hcl" }
  }

  assert {
    condition     = aws_glue_job.etl.default_arguments["--name"] == "books"
    error_message = "the job gets the shop's name"
  }

  assert {
    condition     = aws_glue_job.etl.default_arguments["--mapping"] == "s3://code/${aws_s3_object.code["mapping"].key}"
    error_message = "the job reads the mapping file's object"
  }
}

run "preset" {
  command = plan

  variables {
    shop = { preset = "magento2", store = "2", live_version = "x" }
  }

  assert {
    condition     = [for name in ["--preset", "--store", "--live-version"] : aws_glue_job.etl.default_arguments[name]] == ["magento2", "2", "x"]
    error_message = "the job gets the preset's variables"
  }

  assert {
    condition     = !contains(keys(aws_glue_job.etl.default_arguments), "--mapping") && !contains(keys(aws_glue_job.etl.default_arguments), "--language")
    error_message = "what is not given is not passed"
  }
}

run "plain_tables" {
  command = plan

  assert {
    condition     = length([for name in keys(aws_glue_job.etl.default_arguments) : name if contains(["--mapping", "--preset"], name)]) == 0
    error_message = "a shop of plain tables needs neither"
  }
}

run "refuses_both" {
  command = plan

  variables {
    shop = { mapping_path = "main.tf", preset = "auto" }
  }

  expect_failures = [var.shop]
}

run "refuses_a_name_that_is_none" {
  command = plan

  variables {
    shop = { name = "my shop" }
  }

  expect_failures = [var.shop]
}

run "refuses_a_store_without_a_preset" {
  command = plan

  variables {
    shop = { store = "1" }
  }

  expect_failures = [var.shop]
}
