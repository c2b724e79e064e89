locals {
  names = {
    stream          = coalesce(var.names.stream, "${var.name}-activity")
    delivery_stream = coalesce(var.names.delivery_stream, "${var.name}-recommendations")
    delivery_role   = coalesce(var.names.delivery_role, "${var.name}-firehose")
    recommend       = coalesce(var.names.recommend, "${var.name}-recommend")
    recommend_role  = coalesce(var.names.recommend_role, "${var.name}-recommend")
  }

  # The folders of internal/platform/envconfig inside the recommendations bucket.
  folders = {
    recommendations = "${var.recommendations_bucket.arn}/recommendations/*"
    quarantine      = "${var.recommendations_bucket.arn}/quarantine/*"
    failures        = "${var.recommendations_bucket.arn}/aws/lambda/*" # Lambda's own choice for a mapping's OnFailure objects
    redriven        = "${var.recommendations_bucket.arn}/redriven/*"
  }
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

# --- Firehose

data "aws_iam_policy_document" "delivery_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }
  }
}

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
  assume_role_policy = data.aws_iam_policy_document.delivery_assume.json
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
    resources = [local.folders.quarantine, local.folders.failures]
  }

  statement {
    sid       = "FailedBatchesBucket"
    actions   = ["s3:ListBucket"]
    resources = [var.recommendations_bucket.arn]
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

module "recommend" {
  source = "../function"

  name                 = local.names.recommend
  role_name            = local.names.recommend_role
  description          = "Activity in, recommendations out"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  policies             = [data.aws_iam_policy_document.recommend.json]
  package_path         = var.recommend.package_path
  runtime              = var.recommend.runtime
  handler              = var.recommend.handler
  architecture         = var.recommend.architecture
  memory_mib           = var.recommend.memory_mib
  timeout_seconds      = var.recommend.timeout_seconds
  reserved_concurrency = var.recommend.reserved_concurrency
  tracing              = var.recommend.tracing
  vector_database      = var.vector_database
  vpc                  = var.vpc
  alias                = var.alias
  log_retention_days   = var.log_retention_days

  environment = merge(var.environment, {
    RECOMMENDATIONS_DELIVERY_STREAM = aws_kinesis_firehose_delivery_stream.recommendations.name
    RECOMMENDATIONS_BUCKET          = var.recommendations_bucket.name
  })
}

resource "aws_lambda_event_source_mapping" "activity" {
  event_source_arn                   = aws_kinesis_stream.activity.arn
  function_name                      = module.recommend.called_arn
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
