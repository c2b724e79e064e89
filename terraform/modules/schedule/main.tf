# The schedule of a program (`rollup`) or of one of its commands (`publish catalogue`, `publish experiment
# decide`), which runs as the program's task. A run that finds nothing new changes nothing, and a missed one does no harm: the
# next one finds the same.

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "RunProgram"
    actions   = ["ecs:RunTask"]
    resources = ["${var.task.definition.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster.arn]
    }
  }

  statement {
    sid       = "PassItsRoles"
    actions   = ["iam:PassRole"]
    resources = [var.execution_role_arn, var.task.role.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-scheduler"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "kindred"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_scheduler_schedule" "this" {
  name                = var.name
  group_name          = "default"
  schedule_expression = var.expression
  kms_key_arn         = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.cluster.arn
    role_arn = aws_iam_role.this.arn

    # The container has the program's name (modules/task).
    input = jsonencode({ containerOverrides = [{ name = var.program, command = concat(["/${var.program}"], var.command, ["--json"]) }] })

    ecs_parameters {
      task_definition_arn = var.task.definition.arn
      launch_type         = "FARGATE"

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = [var.security_group_id]
        assign_public_ip = var.public
      }
    }

    # A run that starts late must not run beside the next one.
    retry_policy {
      maximum_event_age_in_seconds = var.latest_seconds
      maximum_retry_attempts       = var.latest_seconds > 60 ? 10 : 1
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# A run that succeeded prints its result (docs/formats.md, result of a program).
resource "aws_cloudwatch_log_metric_filter" "this" {
  name           = var.name
  log_group_name = var.log_group_name
  pattern        = "{ ($.program = \"${var.program}\") && (${var.result}) }"

  metric_transformation {
    namespace = "kindred"
    name      = "${var.name}s"
    value     = "1"
  }
}
