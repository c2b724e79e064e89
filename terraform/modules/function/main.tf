# A Lambda function with its role and its log. The policy of its code comes from the caller. The
# rights that Lambda itself needs are here.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  scope      = "${var.region}:${data.aws_caller_identity.current.account_id}"
  interfaces = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  # checkov:skip=CKV_AWS_356:Creating a network interface for a function and sending traces take no resource (Lambda and X-Ray developer guides).
  # checkov:skip=CKV_AWS_111:See CKV_AWS_356. A Deny keeps the code itself from the interfaces.
  source_policy_documents = var.policies

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn_prefix}:logs:${local.scope}:log-group:/aws/lambda/${var.name}:*"]
  }

  dynamic "statement" {
    for_each = var.vector_database.iam == null ? [] : [var.vector_database.iam]

    content {
      sid       = "VectorDatabaseByIAM"
      actions   = ["rds-db:connect"]
      resources = [for user in concat([statement.value.user], statement.value.former_users) : "${local.arn_prefix}:rds-db:${local.scope}:dbuser:${statement.value.resource_id}/${user}"]
    }
  }

  dynamic "statement" {
    for_each = var.tracing == "Active" ? [1] : []

    content {
      sid       = "Tracing"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.vpc == null ? [] : [1]

    content {
      sid       = "AttachToVpc"
      actions   = local.interfaces
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.vpc == null ? [] : [1]

    # Lambda creates the interfaces before the code runs. The code itself must not.
    content {
      sid       = "NoInterfacesByCode"
      effect    = "Deny"
      actions   = local.interfaces
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["${local.arn_prefix}:lambda:${local.scope}:function:${var.name}"]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = coalesce(var.role_name, var.name)
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "kindred"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116:A dead letter queue serves asynchronous calls only. The stream's mapping has its own destination for failed batches, and callers of a URL get the error.
  # checkov:skip=CKV_AWS_272:Code signing needs a signing profile of the organisation. The confirmed plan contains the zip's hash.
  # checkov:skip=CKV_AWS_173:On AWS a customer managed key encrypts it. An emulator has no key.
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = var.runtime
  handler                        = var.handler
  architectures                  = [var.architecture]
  filename                       = var.package_path
  source_code_hash               = filebase64sha256(var.package_path)
  memory_size                    = var.memory_mib
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  publish                        = var.alias != null

  environment {
    variables = merge(var.environment, { PGVECTOR_DSN = var.vector_database.dsn }, var.vector_database.iam == null ? {} : { PGVECTOR_IAM_AUTH = "true" })
  }

  dynamic "logging_config" {
    for_each = var.vpc == null ? [] : [1] # AWS only: in LocalStack the provisioner does not set it either

    content {
      log_format = "JSON"
      log_group  = aws_cloudwatch_log_group.this.name
    }
  }

  tracing_config {
    mode = var.tracing
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.this]
}

resource "aws_lambda_alias" "this" {
  count = var.alias == null ? 0 : 1

  name             = var.alias
  description      = "Called by the stream or the URL. A promotion moves it, and a failed promotion moves it back"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version

  # Not an apply but the promotion moves the alias, after the schema is there and the version has
  # answered. On its way there, the alias calls two versions.
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}
