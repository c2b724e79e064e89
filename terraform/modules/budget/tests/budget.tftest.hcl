mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "kindred-test"
  environment = "test"
  usd         = 60
  emails      = ["shop@example.com"]
}

run "tells_before_it_is_spent" {
  command = plan

  assert {
    condition     = anytrue([for n in aws_budgets_budget.this.notification : n.notification_type == "FORECASTED" && n.threshold == 100]) && anytrue([for n in aws_budgets_budget.this.notification : n.notification_type == "ACTUAL" && n.threshold < 100])
    error_message = "a forecast tells before the month is over"
  }

  assert {
    condition     = contains(flatten([for f in aws_budgets_budget.this.cost_filter : f.values]), "user:Environment$test")
    error_message = "the budget counts this environment only"
  }
}

run "refuses_nobody" {
  command = plan

  variables {
    emails = []
  }

  expect_failures = [var.emails]
}
