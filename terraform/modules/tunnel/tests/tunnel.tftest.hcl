mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name           = "kindred-test"
  region         = "eu-west-1"
  account_id     = "123456789012"
  kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  image          = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
  repository_arn = "arn:aws:ecr:eu-west-1:123456789012:repository/mock"
  operators      = ["arn:aws:iam::123456789012:role/operator"]
  hours          = 8
  target = {
    cluster        = { name = "kindred-test-batch", arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/kindred-test-batch" }
    subnets        = ["subnet-1"]
    security_group = "sg-1"
    public         = false
  }
  database = { host = "db.example", port = 5432, name = "kindred", resource_id = "db-X", user = "recommend" }
  buckets  = { lake = { name = "lake", arn = "arn:aws:s3:::lake" }, artifacts = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }, recommendations = { name = "recommendations", arn = "arn:aws:s3:::recommendations" } }
  stream   = { name = "activity", arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/activity", key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"] }
}

run "the_task_may_only_take_sessions" {
  command = plan

  assert {
    condition     = alltrue([for a in one(data.aws_iam_policy_document.task.statement).actions : startswith(a, "ssmmessages:")])
    error_message = "the task needs no right but to take sessions"
  }
}

run "no_password_is_in_reach" {
  command = plan

  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.execution.statement : tolist(s.actions)]), "secretsmanager:GetSecretValue")
    error_message = "an operator may hand over this role"
  }
}

run "an_operator_reads_only" {
  command = plan

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume.statement).principals).identifiers == var.operators
    error_message = "only named principals may assume the role"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.operator.statement : alltrue([for a in s.actions : !can(regex("(Put|Delete|\\*)", a))])])
    error_message = "exact actions only, and nothing is written"
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.operator.statement : s.resources if s.actions == toset(["rds-db:connect"])] == [toset(["arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-X/recommend"])]
    error_message = "it logs in as the role that only reads"
  }

  assert {
    condition     = toset(flatten([for s in data.aws_iam_policy_document.operator.statement : tolist(s.resources) if contains(s.actions, "ssm:StartSession")])) == toset(["arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSessionToRemoteHost", "arn:aws:ecs:eu-west-1:123456789012:task/kindred-test-batch/*"])
    error_message = "a session forwards a port; none opens a shell"
  }
}

run "refuses_a_day" {
  command = plan

  variables {
    hours = 24
  }

  expect_failures = [var.hours]
}

run "refuses_no_operator" {
  command = plan

  variables {
    operators = []
  }

  expect_failures = [var.operators]
}
