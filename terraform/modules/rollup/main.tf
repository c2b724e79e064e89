# The program rollup: delivered records and dead letters in, counts by hour and an index of event ids in
# the lake out. modules/schedule runs it. The folders are those of internal/platform/envconfig; Lambda
# itself chose aws/lambda for failed batches.

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadRecords"
    actions   = ["s3:GetObject"]
    resources = [for folder in ["recommendations", "quarantine", "aws/lambda"] : "${var.recommendations_bucket.arn}/${folder}/*"]
  }

  statement {
    sid       = "WriteRollup"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.lake_bucket.arn}/rollup/*"]
  }

  statement {
    sid       = "SweepRollup"
    actions   = ["s3:DeleteObject"]
    resources = ["${var.lake_bucket.arn}/rollup/run=*"]
  }

  # The whole buckets: without this right, S3 answers 403 instead of 404 for an object that does not
  # exist, such as a first run's pointer.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.lake_bucket.arn, var.recommendations_bucket.arn]
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
  program              = "rollup"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.image
  execution_role_arn   = var.execution_role_arn
  policy               = data.aws_iam_policy_document.this.json
  size                 = { cpu = 1024, memory_mib = 2048, storage_gib = 21 }

  environment = {
    LAKE_BUCKET            = var.lake_bucket.name
    RECOMMENDATIONS_BUCKET = var.recommendations_bucket.name
  }
}
