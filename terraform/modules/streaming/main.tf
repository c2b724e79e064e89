data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  account_id = data.aws_caller_identity.current.account_id
  names = {
    stream          = coalesce(var.names.stream, "${var.name}-activity")
    delivery_stream = coalesce(var.names.delivery_stream, "${var.name}-recommendations")
    delivery_role   = coalesce(var.names.delivery_role, "${var.name}-firehose")
    recommend       = coalesce(var.names.recommend, "${var.name}-recommend")
    recommend_role  = coalesce(var.names.recommend_role, "${var.name}-recommend")
    serve           = "${var.name}-serve"
  }

  # The folders of internal/envconfig inside the recommendations bucket.
  quarantine_prefix = "quarantine/"
  failure_prefix    = "aws/lambda/" # Lambda's own choice for a mapping's OnFailure objects
}

resource "aws_kinesis_stream" "activity" {
  name                      = local.names.stream
  shard_count               = var.stream.shard_count
  retention_period          = var.stream.retention_hours
  encryption_type           = var.kms_key_arn == null ? "NONE" : "KMS"
  kms_key_id                = var.kms_key_arn
  enforce_consumer_deletion = true

  stream_mode_details {
    stream_mode = var.stream.shard_count == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

resource "aws_cloudwatch_log_group" "recommend" {
  name              = "/aws/lambda/${local.names.recommend}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "delivery" {
  count = var.delivery.log_errors ? 1 : 0

  name              = "/aws/kinesisfirehose/${local.names.delivery_stream}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_stream" "delivery" {
  count = var.delivery.log_errors ? 1 : 0

  name           = "S3Delivery"
  log_group_name = aws_cloudwatch_log_group.delivery[0].name
}

data "aws_iam_policy_document" "assume" {
  for_each = toset(["lambda.amazonaws.com", "firehose.amazonaws.com"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.key]
    }
  }
}

# --- Firehose

data "aws_iam_policy_document" "delivery" {
  statement {
    sid     = "WriteObjects"
    actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = [for prefix in [var.delivery.prefix, var.delivery.error_prefix] :
    "${var.recommendations_bucket.arn}/${split("/", prefix)[0]}/*"]
  }

  statement {
    sid       = "Bucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.recommendations_bucket.arn]
  }

  dynamic "statement" {
    for_each = aws_cloudwatch_log_group.delivery[*].arn

    content {
      sid       = "Logs"
      actions   = ["logs:PutLogEvents"]
      resources = ["${statement.value}:log-stream:*"]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }
}

resource "aws_iam_role" "delivery" {
  name               = local.names.delivery_role
  assume_role_policy = data.aws_iam_policy_document.assume["firehose.amazonaws.com"].json
}

resource "aws_iam_role_policy" "delivery" {
  name   = "kindred"
  role   = aws_iam_role.delivery.id
  policy = data.aws_iam_policy_document.delivery.json
}

resource "aws_kinesis_firehose_delivery_stream" "recommendations" {
  name        = local.names.delivery_stream
  destination = "extended_s3"

  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery.arn
    bucket_arn          = var.recommendations_bucket.arn
    prefix              = var.delivery.prefix
    error_output_prefix = var.delivery.error_prefix
    buffering_size      = var.delivery.buffering_size_mib
    buffering_interval  = var.delivery.buffering_interval_seconds
    compression_format  = var.delivery.compression
    file_extension      = var.delivery.file_extension
    kms_key_arn         = var.kms_key_arn

    dynamic "cloudwatch_logging_options" {
      for_each = aws_cloudwatch_log_group.delivery

      content {
        enabled         = true
        log_group_name  = cloudwatch_logging_options.value.name
        log_stream_name = aws_cloudwatch_log_stream.delivery[0].name
      }
    }
  }

  dynamic "server_side_encryption" {
    for_each = var.delivery.encrypt_input ? [1] : []

    content {
      enabled  = true
      key_type = "CUSTOMER_MANAGED_CMK"
      key_arn  = var.kms_key_arn
    }
  }

  depends_on = [aws_iam_role_policy.delivery]
}

# --- the function recommend and its mapping

data "aws_iam_policy_document" "recommend" {
  # checkov:skip=CKV_AWS_356:Creating a network interface for a function and sending traces take no resource (Lambda and X-Ray developer guides).
  # checkov:skip=CKV_AWS_111:As CKV_AWS_356; a condition bounds the interfaces to our subnets.
  statement {
    sid       = "ReadStream"
    actions   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
    resources = [aws_kinesis_stream.activity.arn]
  }

  statement {
    sid       = "WriteDelivery"
    actions   = ["firehose:PutRecordBatch"]
    resources = [aws_kinesis_firehose_delivery_stream.recommendations.arn]
  }

  statement {
    sid       = "KeepQuarantineAndFailedBatches"
    actions   = ["s3:PutObject"]
    resources = ["${var.recommendations_bucket.arn}/${local.quarantine_prefix}*", "${var.recommendations_bucket.arn}/${local.failure_prefix}*"]
  }

  statement {
    sid       = "FailedBatchesBucket"
    actions   = ["s3:ListBucket"]
    resources = [var.recommendations_bucket.arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn_prefix}:logs:${var.region}:${local.account_id}:log-group:/aws/lambda/${local.names.recommend}:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
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

  dynamic "statement" {
    for_each = var.recommend.tracing == "Active" ? [1] : []

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
      actions   = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.vpc == null ? [] : [1]

    # The function's own code never makes interfaces: Lambda does, before the code runs.
    content {
      sid       = "NoInterfacesByCode"
      effect    = "Deny"
      actions   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["${local.arn_prefix}:lambda:${var.region}:${local.account_id}:function:${local.names.recommend}"]
      }
    }
  }
}

resource "aws_iam_role" "recommend" {
  name               = local.names.recommend_role
  assume_role_policy = data.aws_iam_policy_document.assume["lambda.amazonaws.com"].json
}

resource "aws_iam_role_policy" "recommend" {
  name   = "kindred"
  role   = aws_iam_role.recommend.id
  policy = data.aws_iam_policy_document.recommend.json
}

resource "aws_lambda_function" "recommend" {
  # checkov:skip=CKV_AWS_116:Invoked by a stream mapping only; failed batches go to the mapping's S3 OnFailure destination. A function's own queue serves asynchronous calls.
  # checkov:skip=CKV_AWS_272:Code signing needs a signing profile of the organisation; the zip's hash is part of the plan that is confirmed.
  # checkov:skip=CKV_AWS_173:Encrypted with the customer managed key on AWS; the emulator has none.
  function_name                  = local.names.recommend
  description                    = "Activity in, recommendations out"
  role                           = aws_iam_role.recommend.arn
  runtime                        = var.recommend.runtime
  handler                        = var.recommend.handler
  architectures                  = [var.recommend.architecture]
  filename                       = var.recommend.package_path
  source_code_hash               = filebase64sha256(var.recommend.package_path)
  memory_size                    = var.recommend.memory_mib
  timeout                        = var.recommend.timeout_seconds
  reserved_concurrent_executions = var.recommend.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  publish                        = var.alias != null

  environment {
    variables = merge(var.environment, local.database_environment, {
      RECOMMENDATIONS_DELIVERY_STREAM = aws_kinesis_firehose_delivery_stream.recommendations.name
      RECOMMENDATIONS_BUCKET          = var.recommendations_bucket.name
    })
  }

  dynamic "logging_config" {
    for_each = var.vpc == null ? [] : [1] # AWS only: with the default, LocalStack's function equals the provisioner's

    content {
      log_format = "JSON"
      log_group  = aws_cloudwatch_log_group.recommend.name
    }
  }

  tracing_config {
    mode = var.recommend.tracing
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  depends_on = [aws_iam_role_policy.recommend, aws_cloudwatch_log_group.recommend]
}

locals {
  database_environment = merge(
    { PGVECTOR_DSN = var.vector_database.dsn },
    var.vector_database.iam == null ? {} : { PGVECTOR_IAM_AUTH = "true" },
  )
}

resource "aws_lambda_alias" "recommend" {
  count = var.alias == null ? 0 : 1

  name             = var.alias
  description      = "What the stream invokes; promotion moves it, a failed smoke test moves it back"
  function_name    = aws_lambda_function.recommend.function_name
  function_version = aws_lambda_function.recommend.version
}

resource "aws_lambda_event_source_mapping" "activity" {
  event_source_arn                   = aws_kinesis_stream.activity.arn
  function_name                      = var.alias == null ? aws_lambda_function.recommend.arn : aws_lambda_alias.recommend[0].arn
  starting_position                  = var.mapping.starting_position
  batch_size                         = var.mapping.batch_size
  maximum_batching_window_in_seconds = var.mapping.batching_window_seconds
  parallelization_factor             = var.mapping.parallelization_factor
  maximum_retry_attempts             = var.mapping.maximum_retry_attempts
  maximum_record_age_in_seconds      = var.mapping.maximum_record_age_seconds
  bisect_batch_on_function_error     = var.mapping.bisect_batch_on_function_error
  function_response_types            = var.mapping.function_response_types

  destination_config {
    on_failure {
      destination_arn = var.recommendations_bucket.arn
    }
  }
}
