mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "kindred-test-catalogue"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  expression         = "rate(5 minutes)"
  command            = ["catalogue"]
  latest_seconds     = 60
  result             = "$.result.read_at = \"*\""
  task               = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/publish:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/publish" }, role = { arn = "arn:aws:iam::123456789012:role/publish" } }
  log_group_name     = "/ecs/kindred-test-publish"
  cluster            = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/c" }
  execution_role_arn = "arn:aws:iam::123456789012:role/execution"
  subnet_ids         = ["subnet-1"]
  security_group_id  = "sg-1"
}

run "runs_the_task_of_publish" {
  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(5 minutes)" && jsondecode(aws_scheduler_schedule.this.target[0].input).containerOverrides[0].command == ["/publish", "catalogue", "--json"]
    error_message = "it must run publish catalogue every five minutes"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].ecs_parameters[0].network_configuration[0].assign_public_ip == false
    error_message = "the task stays in the private network"
  }
}

run "may_run_nothing_else" {
  assert {
    condition     = toset(flatten([for s in data.aws_iam_policy_document.this.statement : s.actions])) == toset(["ecs:RunTask", "iam:PassRole", "kms:Decrypt"]) && !contains(flatten([for s in data.aws_iam_policy_document.this.statement : s.resources]), "*")
    error_message = "the schedule may start this task only"
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "PassItsRoles"][0] == toset(["arn:aws:iam::123456789012:role/execution", "arn:aws:iam::123456789012:role/publish"])
    error_message = "it may hand over the task's own roles only"
  }
}

run "counts_the_runs_that_succeeded" {
  command = plan

  assert {
    condition     = aws_cloudwatch_log_metric_filter.this.pattern == "{ ($.program = \"publish\") && ($.result.read_at = \"*\") }" && aws_cloudwatch_log_metric_filter.this.metric_transformation[0].name == output.metric.name
    error_message = "the filter must count the results of the command, under the name that an alarm watches"
  }
}

run "a_night_may_begin_late" {
  command = plan

  variables {
    name           = "kindred-test-decide"
    expression     = "cron(30 5 * * ? *)"
    command        = ["experiment", "decide"]
    latest_seconds = 3600
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.this.target[0].input).containerOverrides[0].command == ["/publish", "experiment", "decide", "--json"] && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 10
    error_message = "a run that could not start is tried again within the hour"
  }
}

run "runs_another_program" {
  command = plan

  variables {
    program = "rollup"
    command = []
    result  = "$.result.as_of = \"*\""
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.this.target[0].input).containerOverrides == [{ name = "rollup", command = ["/rollup", "--json"] }] && aws_cloudwatch_log_metric_filter.this.pattern == "{ ($.program = \"rollup\") && ($.result.as_of = \"*\") }"
    error_message = "the schedule must run the program that it is told, and count its results"
  }
}
