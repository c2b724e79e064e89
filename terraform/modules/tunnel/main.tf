# A way for a person from their own machine to the vector database, and the role that opens it. A task
# waits for as long as it is told, and ends by itself. `make tunnel` starts it and opens a session of
# SSM in it, which forwards a port. Nothing listens: the task itself connects to SSM.

data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  here      = "${var.region}:${var.account_id}"
  tasks     = "arn:${local.partition}:ecs:${local.here}:task/${var.target.cluster.name}/*"

  # What `make tunnel` reads, so that an operator needs no state of Terraform.
  label = {
    cluster        = var.target.cluster.name
    subnets        = var.target.subnets
    security_group = var.target.security_group
    public         = var.target.public
    host           = var.database.host
    port           = var.database.port
    database       = var.database.name
    user           = var.database.user
    hours          = var.hours
    environment = {
      AWS_REGION             = var.region
      ACTIVITY_STREAM        = var.stream.name
      ARTIFACTS_BUCKET       = var.buckets["artifacts"].name
      LAKE_BUCKET            = var.buckets["lake"].name
      RECOMMENDATIONS_BUCKET = var.buckets["recommendations"].name
    }
  }
}

data "aws_iam_policy_document" "task" {
  # checkov:skip=CKV_AWS_356:These actions take no resource (service authorization reference).
  # checkov:skip=CKV_AWS_111:See CKV_AWS_356.

  # The agent of ECS Exec speaks with SSM as the task.
  statement {
    sid       = "Sessions"
    actions   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
    resources = ["*"]
  }
}

# What ECS does before the task starts. It is not the other tasks' role, which reads the password of the
# database's owner: whoever starts a task may give it each role that they may hand over.
data "aws_iam_policy_document" "execution_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

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
    resources = [var.repository_arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.here}:log-group:/ecs/${var.name}-tunnel:*"]
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-tunnel-execution"
  assume_role_policy   = data.aws_iam_policy_document.execution_assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "execution" {
  name   = "kindred"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

module "task" {
  source = "../task"

  permissions_boundary = var.permissions_boundary
  name                 = var.name
  program              = "tunnel"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.image
  execution_role_arn   = aws_iam_role.execution.arn
  policy               = data.aws_iam_policy_document.task.json
  size                 = { cpu = 256, memory_mib = 512, storage_gib = 21 }
  exec                 = true
  labels               = { "kindred.tunnel" = jsonencode(local.label) }
  environment          = {}
}

# --- the operator

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.operators
    }
  }
}

data "aws_iam_policy_document" "operator" {
  # checkov:skip=CKV_AWS_356:ecs:DescribeTaskDefinition takes no resource (service authorization reference).

  statement {
    sid       = "FindTunnel"
    actions   = ["ecs:DescribeTaskDefinition"]
    resources = ["*"]
  }

  statement {
    sid       = "OpenTunnel"
    actions   = ["ecs:RunTask"]
    resources = ["${module.task.definition.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.target.cluster.arn]
    }
  }

  statement {
    sid       = "CloseTunnel"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = [local.tasks]
  }

  # By name: Terraform would read this document only at the apply if a change of the role were pending.
  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = [for program in ["tunnel", "tunnel-execution"] : "arn:${local.partition}:iam::${var.account_id}:role/${var.name}-${program}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  # This one document: none that opens a shell.
  statement {
    sid       = "Forward"
    actions   = ["ssm:StartSession"]
    resources = ["arn:${local.partition}:ssm:${var.region}::document/AWS-StartPortForwardingSessionToRemoteHost"]
  }

  statement {
    sid       = "ForwardInTunnel"
    actions   = ["ssm:StartSession"]
    resources = [local.tasks]
  }

  statement {
    sid       = "OwnSessions"
    actions   = ["ssm:ResumeSession", "ssm:TerminateSession"]
    resources = ["arn:${local.partition}:ssm:${local.here}:session/$${aws:userid}-*"]
  }

  statement {
    sid       = "ReadVectorDatabase"
    actions   = ["rds-db:connect"]
    resources = ["arn:${local.partition}:rds-db:${local.here}:dbuser:${var.database.resource_id}/${var.database.user}"]
  }

  # What the console shows. It writes nothing: start it with --read-only.
  statement {
    sid       = "ReadBuckets"
    actions   = ["s3:GetObject"]
    resources = [for bucket in var.buckets : "${bucket.arn}/*"]
  }

  statement {
    sid       = "ListBuckets"
    actions   = ["s3:ListBucket"]
    resources = [for bucket in var.buckets : bucket.arn]
  }

  statement {
    sid       = "ReadStream"
    actions   = ["kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
    resources = [var.stream.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = var.stream.key_arns
  }
}

resource "aws_iam_role" "operator" {
  name                 = "${var.name}-console"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
  max_session_duration = max(1, min(12, var.hours)) * 3600
}

resource "aws_iam_role_policy" "operator" {
  name   = "kindred"
  role   = aws_iam_role.operator.id
  policy = data.aws_iam_policy_document.operator.json
}
