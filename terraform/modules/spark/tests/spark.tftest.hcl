mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name             = "kindred-test"
  region           = "eu-west-1"
  kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  lake_bucket      = { name = "lake", arn = "arn:aws:s3:::lake" }
  artifacts_bucket = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
  code_bucket      = { name = "code", arn = "arn:aws:s3:::code" }
  launcher_path    = "main.tf"
  program_path     = "variables.tf"
}

run "job" {
  command = plan

  assert {
    condition     = aws_glue_job.train.glue_version == "5.0" && aws_glue_job.train.max_retries == 0
    error_message = "the chain retries, not the job"
  }

  assert {
    condition     = toset(flatten([for s in data.aws_iam_policy_document.job.statement : s.resources if contains(s.actions, "s3:PutObject")])) == toset(["arn:aws:s3:::artifacts/model/*", "arn:aws:s3:::artifacts/fits/run=*"])
    error_message = "the job writes model versions and fits, and nothing else"
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.job.statement : s.resources if contains(s.actions, "s3:DeleteObject")] == [toset(["arn:aws:s3:::artifacts/fits/run=*"])]
    error_message = "only exports and what was fitted to them may be deleted, never a version"
  }

  assert {
    condition     = [for g in aws_cloudwatch_log_group.job : g.name] == ["/aws-glue/jobs/kindred-test-train-spark-role/kindred-test-train-spark/error", "/aws-glue/jobs/kindred-test-train-spark-role/kindred-test-train-spark/output"]
    error_message = "Glue 5.0 names its log groups by security configuration and role; others stay empty"
  }
}

run "rules" {
  command = plan

  variables {
    repeat = ["after=30d", "Wine and Beer=show"]
  }

  assert {
    condition     = aws_glue_job.train.default_arguments["--train-flags"] == "--repeat 'after=30d' --repeat 'Wine and Beer=show'"
    error_message = "the job gets the rules as train does"
  }
}

run "refuses_one_worker" {
  command = plan

  variables {
    size = { workers = 1 }
  }

  expect_failures = [var.size]
}

run "refuses_a_rule_with_a_quotation_mark" {
  command = plan

  variables {
    repeat = ["children's=show"]
  }

  expect_failures = [var.repeat]
}
