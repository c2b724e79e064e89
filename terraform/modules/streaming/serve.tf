# The function serve: the same answers over HTTP, by a function URL that only signed requests of named callers reach.

locals {
  serve = var.serve == null ? [] : [var.serve]
}

resource "aws_cloudwatch_log_group" "serve" {
  count = length(local.serve)

  name              = "/aws/lambda/${local.names.serve}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "serve" {
  # checkov:skip=CKV_AWS_356:Creating a network interface for a function and sending traces take no resource (Lambda and X-Ray developer guides).
  # checkov:skip=CKV_AWS_111:As CKV_AWS_356; the code itself is denied the interfaces.
  count = length(local.serve)

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn_prefix}:logs:${var.region}:${local.account_id}:log-group:/aws/lambda/${local.names.serve}:*"]
  }

  statement {
    sid       = "Tracing"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }

  statement {
    sid       = "AttachToVpc"
    actions   = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
    resources = ["*"]
  }

  statement {
    sid       = "NoInterfacesByCode"
    effect    = "Deny"
    actions   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = ["${local.arn_prefix}:lambda:${var.region}:${local.account_id}:function:${local.names.serve}"]
    }
  }

  dynamic "statement" {
    for_each = var.vector_database.iam == null ? [] : [var.vector_database.iam]

    content {
      sid       = "VectorDatabaseByIAM"
      actions   = ["rds-db:connect"]
      resources = ["${local.arn_prefix}:rds-db:${var.region}:${local.account_id}:dbuser:${statement.value.resource_id}/${statement.value.user}"]
    }
  }
}

resource "aws_iam_role" "serve" {
  count = length(local.serve)

  name               = local.names.serve
  assume_role_policy = data.aws_iam_policy_document.assume["lambda.amazonaws.com"].json
}

resource "aws_iam_role_policy" "serve" {
  count = length(local.serve)

  name   = "kindred"
  role   = aws_iam_role.serve[0].id
  policy = data.aws_iam_policy_document.serve[0].json
}

resource "aws_lambda_function" "serve" {
  # checkov:skip=CKV_AWS_116:Invoked synchronously by its URL; a queue for failed asynchronous calls would stay empty.
  # checkov:skip=CKV_AWS_272:Code signing needs a signing profile of the organisation; the zip's hash is part of the plan that is confirmed.
  count = length(local.serve)

  function_name                  = local.names.serve
  description                    = "Recommendations over HTTP"
  role                           = aws_iam_role.serve[0].arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = ["arm64"]
  filename                       = local.serve[0].package_path
  source_code_hash               = filebase64sha256(local.serve[0].package_path)
  memory_size                    = local.serve[0].memory_mib
  timeout                        = 10 # a request ends itself after 5 s
  reserved_concurrent_executions = local.serve[0].reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  publish                        = true

  environment {
    variables = merge(var.environment, local.database_environment)
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.serve[0].name
  }

  tracing_config {
    mode = "Active"
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  depends_on = [aws_iam_role_policy.serve]
}

resource "aws_lambda_alias" "serve" {
  count = length(local.serve)

  name             = coalesce(var.alias, "live")
  description      = "What the function URL calls; promotion moves it, a failed smoke test moves it back"
  function_name    = aws_lambda_function.serve[0].function_name
  function_version = aws_lambda_function.serve[0].version
}

resource "aws_lambda_function_url" "serve" {
  count = length(local.serve)

  function_name      = aws_lambda_function.serve[0].function_name
  qualifier          = aws_lambda_alias.serve[0].name
  authorization_type = "AWS_IAM"
}

resource "aws_lambda_permission" "serve" {
  for_each = var.serve == null ? toset([]) : var.serve.callers

  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.serve[0].function_name
  qualifier              = aws_lambda_alias.serve[0].name
  principal              = each.key
  function_url_auth_type = "AWS_IAM"
}
