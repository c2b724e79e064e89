# A batch program as a Fargate task, with its role and its log. The program's policy comes from the
# caller.

data "aws_caller_identity" "current" {}

# ECS Exec puts its agent into the container, which writes files and starts processes that nobody else
# would wait for (ECS developer guide, ecs-exec).
locals {
  exec = merge(var.exec ? { linuxParameters = { initProcessEnabled = true } } : {}, length(var.labels) == 0 ? {} : { dockerLabels = var.labels })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}-${var.program}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-${var.program}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "kindred"
  role   = aws_iam_role.this.id
  policy = var.policy
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-${var.program}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory_mib
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = aws_iam_role.this.arn

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  ephemeral_storage {
    size_in_gib = var.size.storage_gib
  }

  volume {
    name = "scratch" # the root file system is read-only; files wait here until they are committed
  }

  container_definitions = jsonencode([merge(local.exec, {
    name                   = var.program
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = !var.exec
    user                   = "65532:65532"
    command                = ["/${var.program}", "--json"]
    environment            = [for k, v in merge({ TMPDIR = "/tmp" }, var.environment) : { name = k, value = v }]
    secrets                = [for k, v in var.secrets : { name = k, valueFrom = v }]
    mountPoints            = [{ sourceVolume = "scratch", containerPath = "/tmp", readOnly = false }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = var.program
      }
    }
  })])
}
