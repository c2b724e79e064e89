# The program feedback: delivered recommendations in, interactions and clicks for train and the outcomes of
# experiments out. The folders are those of internal/platform/envconfig. The image holds DuckDB, which runs the joins.

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadRecords"
    actions   = ["s3:GetObject"]
    resources = ["${var.recommendations_bucket.arn}/recommendations/*"]
  }

  statement {
    sid       = "WriteFindings"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = [for folder in ["clicks", "feedback", "outcomes"] : "${var.lake_bucket.arn}/${folder}/*"]
  }

  # Who was erased, so that they are left out. The folder of internal/platform/envconfig.
  statement {
    sid       = "ReadErased"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake_bucket.arn}/erased/*"]
  }

  statement {
    sid       = "ReadEraseSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.erase_secret_arn]
  }

  # The whole buckets: without this right, S3 answers 403 instead of 404 for a first run's missing pointer.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.recommendations_bucket.arn, var.lake_bucket.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

module "task" {
  source = "../task"

  permissions_boundary = var.permissions_boundary
  name                 = var.name
  program              = "feedback"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.image
  execution_role_arn   = var.execution_role_arn
  policy               = data.aws_iam_policy_document.this.json
  size                 = var.size

  environment = merge({
    RECOMMENDATIONS_BUCKET = var.recommendations_bucket.name
    LAKE_BUCKET            = var.lake_bucket.name
    ERASE_SECRET_ARN       = var.erase_secret_arn
    DUCKDB                 = "/usr/bin/duckdb" # terraform/tf/promotion/duckdb.go
  }, var.shop_name == null ? {} : { SHOP_NAME = var.shop_name })
}
