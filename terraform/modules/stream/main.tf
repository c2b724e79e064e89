# The activity stream, unless the shop shares one that exists, and the delivery stream that carries
# recommendations to S3.

resource "aws_kinesis_stream" "activity" {
  count = var.existing_stream == null ? 1 : 0

  name                      = var.stream.name
  shard_count               = var.stream.shard_count
  retention_period          = var.stream.retention_hours
  encryption_type           = var.kms_key_arn == null ? "NONE" : "KMS"
  kms_key_id                = var.kms_key_arn
  enforce_consumer_deletion = true

  stream_mode_details {
    stream_mode = var.stream.shard_count == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

moved {
  from = aws_kinesis_stream.activity
  to   = aws_kinesis_stream.activity[0]
}

resource "aws_cloudwatch_log_group" "delivery" {
  count = var.delivery.log_errors ? 1 : 0

  name              = "/aws/kinesisfirehose/${var.delivery.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_stream" "delivery" {
  count = var.delivery.log_errors ? 1 : 0

  name           = "S3Delivery"
  log_group_name = aws_cloudwatch_log_group.delivery[0].name
}

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
  name                 = var.delivery.role_name
  assume_role_policy   = data.aws_iam_policy_document.delivery_assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "delivery" {
  name   = "kindred"
  role   = aws_iam_role.delivery.id
  policy = data.aws_iam_policy_document.delivery.json
}

resource "aws_kinesis_firehose_delivery_stream" "recommendations" {
  name        = var.delivery.name
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
