data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  account_id = data.aws_caller_identity.current.account_id
  image      = "${aws_ecr_repository.batch.repository_url}:${var.image_tag}"

  # internal/platform/envconfig's folders
  training_set = "training-set"
  feedback     = "feedback"
  planted_shop = "planted/shop.json"
  model        = "model"

  programs = {
    train = {
      cpu     = var.train.cpu
      memory  = var.train.memory_mib
      storage = var.train.storage_gib
      environment = {
        LAKE_BUCKET      = var.lake_bucket.name
        ARTIFACTS_BUCKET = var.artifacts_bucket.name
      }
      secrets = {}
    }
    publish = {
      cpu     = 512
      memory  = 2048
      storage = 21
      environment = {
        ARTIFACTS_BUCKET = var.artifacts_bucket.name
        PGVECTOR_DSN     = var.vector_database.dsn
        PGUSER           = var.vector_database.username
        PGVECTOR_READER  = var.vector_database.reader
      }
      # pgx takes what the DSN lacks from PGUSER and PGPASSWORD; ECS reads the password when the task starts, so that no state and no
      # definition holds it, and a rotated one is read anew.
      secrets = { PGPASSWORD = "${var.vector_database.secret_arn}:password::" }
    }
  }
}

resource "aws_ecr_repository" "batch" {
  name                 = "${var.name}/batch"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "batch" {
  repository = aws_ecr_repository.batch.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the last 30 images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_ecs_cluster" "batch" {
  name = "${var.name}-batch"

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "batch" {
  cluster_name       = aws_ecs_cluster.batch.name
  capacity_providers = ["FARGATE"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}

resource "aws_cloudwatch_log_group" "program" {
  for_each = local.programs

  name              = "/ecs/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "chain" {
  name              = "/aws/vendedlogs/states/${var.name}-batch"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "assume" {
  for_each = { ecs = "ecs-tasks.amazonaws.com", states = "states.amazonaws.com", scheduler = "scheduler.amazonaws.com" }

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

# --- what ECS itself does before a program starts

data "aws_iam_policy_document" "execution" {
  # checkov:skip=CKV_AWS_356:ecr:GetAuthorizationToken takes no resource (ECR user guide).
  statement {
    sid       = "EcrToken"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.batch.arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for g in aws_cloudwatch_log_group.program : "${g.arn}:*"]
  }

  statement {
    sid       = "ReadVectorPassword"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.vector_database.secret_arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-batch-execution"
  assume_role_policy = data.aws_iam_policy_document.assume["ecs"].json
}

resource "aws_iam_role_policy" "execution" {
  name   = "kindred"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# --- what the programs do

data "aws_iam_policy_document" "train" {
  statement {
    sid       = "ReadTrainingSet"
    actions   = ["s3:GetObject"]
    resources = [for key in ["${local.training_set}/*", "${local.feedback}/*", local.planted_shop] : "${var.lake_bucket.arn}/${key}"]
  }

  statement {
    sid       = "WriteModel"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.artifacts_bucket.arn}/${local.model}/*"]
  }

  # The whole buckets: without it, S3 answers 403 for what is absent (a first run's pointer, a planted shop), not 404.
  statement {
    sid       = "Absent"
    actions   = ["s3:ListBucket"]
    resources = [var.lake_bucket.arn, var.artifacts_bucket.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

data "aws_iam_policy_document" "publish" {
  statement {
    sid       = "ReadModel"
    actions   = ["s3:GetObject"]
    resources = ["${var.artifacts_bucket.arn}/${local.model}/*"]
  }

  statement {
    sid       = "Absent"
    actions   = ["s3:ListBucket"]
    resources = [var.artifacts_bucket.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "program" {
  for_each = local.programs

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume["ecs"].json
}

resource "aws_iam_role_policy" "program" {
  for_each = { train = data.aws_iam_policy_document.train.json, publish = data.aws_iam_policy_document.publish.json }

  name   = "kindred"
  role   = aws_iam_role.program[each.key].id
  policy = each.value
}

resource "aws_ecs_task_definition" "program" {
  for_each = local.programs

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.program[each.key].arn

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  ephemeral_storage {
    size_in_gib = each.value.storage
  }

  volume {
    name = "scratch" # the root file system is read-only; files wait here for their commit
  }

  container_definitions = jsonencode([{
    name                   = each.key
    image                  = local.image
    essential              = true
    readonlyRootFilesystem = true
    user                   = "65532:65532"
    command                = ["/${each.key}", "--json"]
    environment            = [for k, v in merge({ TMPDIR = "/tmp" }, each.value.environment) : { name = k, value = v }]
    secrets                = [for k, v in each.value.secrets : { name = k, valueFrom = v }]
    mountPoints            = [{ sourceVolume = "scratch", containerPath = "/tmp", readOnly = false }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.program[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}
