mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name   = "kindred-test"
  region = "eu-west-1"
}

run "rotates" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "the key must rotate"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.key.statement : length(s.condition) > 0 if one(s.principals).type == "Service"])
    error_message = "a service may use the key for this account only"
  }
}

run "refuses_a_short_window" {
  command = plan

  variables {
    deletion_window_in_days = 1
  }

  expect_failures = [var.deletion_window_in_days]
}
