mock_provider "aws" {
  source = "../../mocks"
}

variables {
  erase_secret_arn           = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:erase-AbCdEf"
  name                       = "kindred-test-verify"
  kms_key_arns               = ["arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"]
  stream_arn                 = "arn:aws:kinesis:eu-west-1:123456789012:stream/activity"
  recommendations_bucket_arn = "arn:aws:s3:::recommendations"
  lake_bucket_arn            = "arn:aws:s3:::lake"
  operators                  = ["arn:aws:iam::123456789012:role/operator"]
}

run "an_operator_deletes_nothing" {
  command = plan

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume.statement).principals).identifiers == var.operators
    error_message = "only named principals may assume the role"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : alltrue([for a in s.actions : !strcontains(a, "Delete") && !strcontains(a, "*")])])
    error_message = "exact actions only, and nothing is deleted"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : s.resources == toset(["${var.recommendations_bucket_arn}/redriven/*"]) if contains(s.actions, "s3:PutObject")])
    error_message = "only markers are written"
  }
}

run "refuses_no_operator" {
  command = plan

  variables {
    operators = []
  }

  expect_failures = [var.operators]
}
