# The chain etl → feedback → train → publish and its nightly schedule. A program that runs again on the same
# input changes nothing, so retries and second runs are harmless. Where no model has passed the gate
# yet, train and publish end well: a version that answers by popularity goes live.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  account_id = data.aws_caller_identity.current.account_id

  tasks = { for program, task in var.tasks : program => task if task != null }
  jobs  = [for job in [var.etl_job, var.spark.job] : job if job != null]
}

resource "aws_cloudwatch_log_group" "chain" {
  name              = "/aws/vendedlogs/states/${var.name}-batch"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "assume" {
  for_each = { states = "states.amazonaws.com", scheduler = "scheduler.amazonaws.com" }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

data "aws_iam_policy_document" "chain" {
  # checkov:skip=CKV_AWS_111:The actions of Step Functions' log delivery take no resource (Step Functions developer guide, logging).
  # checkov:skip=CKV_AWS_356:See CKV_AWS_111; ecs:DescribeTasks and ecs:StopTask are limited to the cluster's tasks.
  dynamic "statement" {
    for_each = length(local.jobs) == 0 ? [] : [1]

    content {
      sid       = "RunGlue"
      actions   = ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"]
      resources = local.jobs[*].arn
    }
  }

  statement {
    sid       = "RunPrograms"
    actions   = ["ecs:RunTask"]
    resources = [for task in local.tasks : "${task.definition.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster.arn]
    }
  }

  statement {
    sid       = "WatchPrograms"
    actions   = ["ecs:StopTask", "ecs:DescribeTasks"]
    resources = ["${local.arn_prefix}:ecs:${var.region}:${local.account_id}:task/${var.cluster.name}/*"]
  }

  statement {
    sid       = "PassProgramsRoles"
    actions   = ["iam:PassRole"]
    resources = concat([var.execution_role_arn], [for task in local.tasks : task.role.arn])

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "WaitForTasks"
    actions   = ["events:PutTargets", "events:PutRule", "events:DescribeRule"]
    resources = ["${local.arn_prefix}:events:${var.region}:${local.account_id}:rule/StepFunctionsGetEventsForECSTaskRule"]
  }

  statement {
    sid       = "TellFailure"
    actions   = ["sns:Publish"]
    resources = [var.failure_topic_arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "LogDelivery"
    actions   = ["logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"]
    resources = ["*"]
  }

  statement {
    sid       = "Tracing"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "chain" {
  name                 = "${var.name}-batch-chain"
  assume_role_policy   = data.aws_iam_policy_document.assume["states"].json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "chain" {
  name   = "kindred"
  role   = aws_iam_role.chain.id
  policy = data.aws_iam_policy_document.chain.json
}

locals {
  caught = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.failure", Next = "TellFailure" }]

  run_program = { for program, task in local.tasks : program => {
    Type           = "Task"
    Resource       = "${local.arn_prefix}:states:::ecs:runTask.sync"
    TimeoutSeconds = var.program_timeout_minutes * 60
    Parameters = {
      LaunchType     = "FARGATE"
      Cluster        = var.cluster.arn
      TaskDefinition = task.definition.arn
      NetworkConfiguration = {
        AwsvpcConfiguration = { Subnets = var.subnet_ids, SecurityGroups = [var.security_group_ids[program]], AssignPublicIp = var.public ? "ENABLED" : "DISABLED" }
      }
    }
    # A task that could not be placed, or whose image could not be pulled, is retried. A failed
    # program is retried too: often it only lost a connection. A retry does not help when the
    # program refused a bad training set, but it costs little.
    Retry      = [{ ErrorEquals = ["ECS.AmazonECSException", "ECS.ServerException", "States.TaskFailed"], IntervalSeconds = 60, MaxAttempts = 2, BackoffRate = 2 }]
    Catch      = local.caught
    ResultPath = null
  } }
}

locals {
  run_glue = {
    Type     = "Task"
    Resource = "${local.arn_prefix}:states:::glue:startJobRun.sync"
    Retry = [
      { ErrorEquals = ["Glue.ConcurrentRunsExceededException"], IntervalSeconds = 300, MaxAttempts = 6, BackoffRate = 1 },
      { ErrorEquals = ["States.TaskFailed"], IntervalSeconds = 60, MaxAttempts = 2, BackoffRate = 2 },
    ]
    Catch      = local.caught
    ResultPath = null
  }

  # Errors of ECS itself are States.TaskFailed too. Their cause is no JSON; that of a program that ended has its
  # exit code.
  by_exit_code = { for state, then in { Size = { code = 3, Next = "TrainOnSpark", Default = "Train" }, Publish = { code = 5, Next = "Refused", Default = "TellFailure" } } : state => {
    "After${state}" = {
      Type    = "Choice"
      Choices = [{ Variable = "$.failure.Cause", StringMatches = "{*", Next = "Read${state}" }]
      Default = then.Default
    }
    "Read${state}" = {
      Type       = "Pass"
      Parameters = { "task.$" = "States.StringToJson($.failure.Cause)", "failure.$" = "$.failure" }
      Next       = "ExitOf${state}"
    }
    "ExitOf${state}" = {
      Type = "Choice"
      Choices = [{
        And = [
          { Variable = "$.task.Containers[0].ExitCode", IsPresent = true },
          { Variable = "$.task.Containers[0].ExitCode", NumericEquals = then.code },
        ]
        Next = then.Next
      }]
      Default = then.Default
    }
  } }

  # `train size` ends with exit code 3 if training takes more memory than the task has, or longer than
  # most_hours. Then Spark trains. Whatever else happens to Size, Train is tried.
  by_size = { for name, state in {
    Size = merge(local.run_program["train"], {
      Parameters = merge(local.run_program["train"].Parameters, {
        Overrides = { ContainerOverrides = [{ Name = "train", Command = ["/train", "size", "--json", "--most-hours", tostring(var.spark.most_hours)] }] }
      })
      Retry = [{ ErrorEquals = ["ECS.AmazonECSException", "ECS.ServerException"], IntervalSeconds = 60, MaxAttempts = 2, BackoffRate = 2 }]
      Catch = [
        { ErrorEquals = ["States.TaskFailed"], ResultPath = "$.failure", Next = "AfterSize" },
        { ErrorEquals = ["States.ALL"], ResultPath = null, Next = "Train" },
      ]
      Next = "Train"
    })
    TrainOnSpark = merge(local.run_glue, { Parameters = { JobName = try(var.spark.job.name, "") }, Next = "Publish" })
  } : name => state if var.spark.job != null && (name == "TrainOnSpark" || !var.spark.always) }
  after_size = { for name, state in local.by_exit_code["Size"] : name => state if var.spark.job != null && !var.spark.always }

  trains = var.spark.job == null ? "Train" : var.spark.always ? "TrainOnSpark" : "Size"

  # Without outcomes of the last day there is still something to train on: a failure is told, and the chain
  # goes on.
  feedback = { for name, state in {
    Feedback = merge(try(local.run_program["feedback"], {}), {
      Catch = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.failure", Next = "TellFeedback" }]
      Next  = local.trains
    })
    TellFeedback = {
      Type     = "Task"
      Resource = "${local.arn_prefix}:states:::sns:publish"
      Parameters = {
        TopicArn    = var.failure_topic_arn
        Subject     = "${var.name}: feedback failed"
        "Message.$" = "States.Format('Execution {}: feedback failed: {}. The chain goes on without it. The log group of feedback says why.', $$.Execution.Name, $.failure.Error)"
      }
      ResultPath = null
      Next       = local.trains
    }
  } : name => state if contains(keys(local.tasks), "feedback") }

  etl_next = contains(keys(local.tasks), "feedback") ? "Feedback" : local.trains
  # Glue's and ECS's states have different parameters.
  etl = { for name, state in { Glue = merge(local.run_glue, { Parameters = { JobName = try(var.etl_job.name, "") } }), Task = try(local.run_program["etl"], {}) } :
  "Etl" => merge(state, { Next = local.etl_next }) if(name == "Glue") == (var.etl_job != null) }

  # The gate refuses a model with exit code 5. That is an answer: a retry does not help, and the execution has
  # not failed. The alarm model-refused tells it, once.
  publish = merge(local.by_exit_code["Publish"], {
    Publish = merge(local.run_program["publish"], {
      Retry = [{ ErrorEquals = ["ECS.AmazonECSException", "ECS.ServerException"], IntervalSeconds = 60, MaxAttempts = 2, BackoffRate = 2 }]
      Catch = concat([{ ErrorEquals = ["States.TaskFailed"], ResultPath = "$.failure", Next = "AfterPublish" }], local.caught)
      End   = true
    })
    Refused = { Type = "Succeed" }
  })

  # Step Functions refuses a state that no other leads to.
  train = { for name, state in { Train = merge(local.run_program["train"], { Next = "Publish" }) } :
  name => state if var.spark.job == null || !var.spark.always }
}

resource "aws_sfn_state_machine" "chain" {
  # checkov:skip=CKV_AWS_285:Logging is on at level ALL; execution data stays out of the logs, because the text of a failure may name customers.
  name     = "${var.name}-batch"
  role_arn = aws_iam_role.chain.arn

  definition = jsonencode({
    Comment        = "etl, then feedback, train and publish; a failure is reported and fails the execution"
    TimeoutSeconds = var.timeout_hours * 3600
    StartAt        = "Etl"
    States = merge(local.etl, local.feedback, local.by_size, local.after_size, local.train, local.publish, {
      TellFailure = {
        Type     = "Task"
        Resource = "${local.arn_prefix}:states:::sns:publish"
        Parameters = {
          TopicArn    = var.failure_topic_arn
          Subject     = "${var.name}: the nightly chain failed"
          "Message.$" = "States.Format('Execution {} failed: {}. The log groups of the programs say why.', $$.Execution.Name, $.failure.Error)"
        }
        Next = "Failed"
      }
      Failed = { Type = "Fail", Error = "ChainFailed", Cause = "A step failed after its retries" }
    })
  })

  logging_configuration {
    level                  = "ALL"
    include_execution_data = false
    log_destination        = "${aws_cloudwatch_log_group.chain.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  encryption_configuration {
    type                              = "CUSTOMER_MANAGED_KMS_KEY"
    kms_key_id                        = var.kms_key_arn
    kms_data_key_reuse_period_seconds = 900
  }

  depends_on = [aws_iam_role_policy.chain]
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartChain"
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.chain.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${var.name}-batch-scheduler"
  assume_role_policy   = data.aws_iam_policy_document.assume["scheduler"].json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "kindred"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

resource "aws_scheduler_schedule" "nightly" {
  name                         = "${var.name}-batch-nightly"
  group_name                   = "default"
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.timezone
  state                        = var.schedule_enabled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = aws_sfn_state_machine.chain.arn
    role_arn = aws_iam_role.scheduler.arn

    retry_policy {
      maximum_retry_attempts = 3
    }
  }
}
