mock_provider "aws" {
  source = "../../mocks"
}

variables {
  buckets = {
    lake            = { name = "kindred-lake" }
    artifacts       = { name = "kindred-artifacts" }
    recommendations = { name = "kindred-recommendations", expire_days = 30 }
  }
}

run "three_roles" {
  command = plan

  assert {
    condition     = length(output.buckets) == 3 && length(module.access_logs) == 0
    error_message = "one bucket a role, no log bucket unless named"
  }
}

run "access_logs" {
  command = plan

  variables {
    access_log_bucket = "kindred-access-logs"
  }

  assert {
    condition     = length(module.access_logs) == 1
    error_message = "the named log bucket must be made"
  }
}

run "refuses_a_missing_role" {
  command = plan

  variables {
    buckets = { lake = { name = "kindred-lake" } }
  }

  expect_failures = [var.buckets]
}

run "refuses_one_name_twice" {
  command = plan

  variables {
    buckets = { lake = { name = "same" }, artifacts = { name = "same" }, recommendations = { name = "other" } }
  }

  expect_failures = [var.buckets]
}
