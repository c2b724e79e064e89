# The program recommend: a function that reads the activity stream and writes recommendations to the
# delivery stream.

locals {
  memory = var.artifacts_bucket == null ? {} : {
    ARTIFACTS_BUCKET = var.artifacts_bucket.name
    MEMORY_SHARE     = tostring(var.memory_share)
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadStream"
    actions   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
    resources = [var.stream.arn]
  }

  statement {
    sid       = "WriteDelivery"
    actions   = ["firehose:PutRecordBatch"]
    resources = [var.delivery_stream.arn]
  }

  # The quarantine's folder is from internal/platform/envconfig; Lambda itself chose the folder of
  # failed batches.
  statement {
    sid       = "KeepQuarantineAndFailedBatches"
    actions   = ["s3:PutObject"]
    resources = ["${var.recommendations_bucket.arn}/quarantine/*", "${var.recommendations_bucket.arn}/aws/lambda/*"]
  }

  statement {
    sid       = "FailedBatchesBucket"
    actions   = ["s3:ListBucket"]
    resources = [var.recommendations_bucket.arn]
  }

  dynamic "statement" {
    for_each = var.artifacts_bucket == null ? [] : [var.artifacts_bucket]

    content {
      sid       = "ReadModelVersions"
      actions   = ["s3:GetObject"]
      resources = ["${statement.value.arn}/model/*"]
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

  dynamic "statement" {
    for_each = var.stream.kms_key_arn == null ? [] : [var.stream.kms_key_arn]

    content {
      sid       = "UseStreamsKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

module "function" {
  source = "../function"

  permissions_boundary = var.permissions_boundary
  name                 = var.function.name
  role_name            = var.function.role_name
  description          = "Activity in, recommendations out"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  policies             = [data.aws_iam_policy_document.this.json]
  package_path         = var.function.package_path
  runtime              = var.function.runtime
  handler              = var.function.handler
  architecture         = var.function.architecture
  memory_mib           = var.function.memory_mib
  timeout_seconds      = var.function.timeout_seconds
  reserved_concurrency = var.function.reserved_concurrency
  tracing              = var.function.tracing
  log_retention_days   = var.function.log_retention_days
  vector_database      = var.vector_database
  vpc                  = var.vpc
  alias                = var.alias

  environment = merge(var.environment, local.memory, {
    RECOMMENDATIONS_DELIVERY_STREAM = var.delivery_stream.name
    RECOMMENDATIONS_BUCKET          = var.recommendations_bucket.name
  })
}

resource "aws_lambda_event_source_mapping" "activity" {
  event_source_arn                   = var.stream.arn
  function_name                      = module.function.called_arn
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
