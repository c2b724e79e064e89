# The program serve: the same answers as recommend over HTTP. Only signed requests of the named
# callers reach its function URL.

locals {
  memory = var.artifacts_bucket == null ? {} : {
    ARTIFACTS_BUCKET = var.artifacts_bucket.name
    MEMORY_SHARE     = tostring(var.memory_share)
  }
  records  = var.delivery_stream == null ? {} : { RECOMMENDATIONS_DELIVERY_STREAM = var.delivery_stream.name }
  events   = var.stream == null ? {} : { ACTIVITY_STREAM = var.stream.name }
  keys     = var.site_keys == null ? {} : { SITE_KEYS = var.site_keys }
  policies = var.artifacts_bucket == null && var.delivery_stream == null && var.stream == null ? 0 : 1
}

data "aws_iam_policy_document" "this" {
  count = local.policies

  dynamic "statement" {
    for_each = var.delivery_stream == null ? [] : [var.delivery_stream]

    content {
      sid       = "WriteDelivery"
      actions   = ["firehose:PutRecordBatch"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = var.stream == null ? [] : [var.stream]

    content {
      sid       = "WriteStream"
      actions   = ["kinesis:PutRecords"]
      resources = [statement.value.arn]
    }
  }

  # To write to a stream that a key of ours encrypts, the producer asks for a data key.
  dynamic "statement" {
    for_each = var.stream == null ? [] : compact([try(coalesce(var.stream.kms_key_arn, var.kms_key_arn), null)])

    content {
      sid       = "UseStreamKey"
      actions   = ["kms:GenerateDataKey"]
      resources = [statement.value]
    }
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
    for_each = var.kms_key_arn == null || var.artifacts_bucket == null ? [] : [1]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt"]
      resources = [var.kms_key_arn]
    }
  }
}

module "function" {
  source = "../function"

  permissions_boundary = var.permissions_boundary
  name                 = var.function.name
  role_name            = var.function.role_name
  description          = "Recommendations over HTTP"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  policies             = data.aws_iam_policy_document.this[*].json
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
  environment          = merge(var.environment, local.memory, local.records, local.events, local.keys)
}

resource "aws_lambda_function_url" "this" {
  function_name      = module.function.name
  qualifier          = module.function.alias
  authorization_type = "AWS_IAM"
}

resource "aws_lambda_permission" "caller" {
  for_each = var.callers

  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.function.name
  qualifier              = module.function.alias
  principal              = each.key
  function_url_auth_type = "AWS_IAM"
}

# Since October 2025 a caller of a function URL needs this right too (Lambda developer guide,
# urls-auth). It is limited to calls by the URL.
resource "aws_lambda_permission" "caller_of_function" {
  for_each = var.callers

  action                   = "lambda:InvokeFunction"
  function_name            = module.function.name
  qualifier                = module.function.alias
  principal                = each.key
  invoked_via_function_url = true
}
