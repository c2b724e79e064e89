# The program train: training set in, model version out. The folders are those of
# internal/platform/envconfig.

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadTrainingSet"
    actions   = ["s3:GetObject"]
    resources = [for folder in ["feedback", "training-set"] : "${var.lake_bucket.arn}/${folder}/*"]
  }

  # For `train sessions`.
  statement {
    sid       = "ReadClicks"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake_bucket.arn}/clicks/*"]
  }

  statement {
    sid       = "WriteModel"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.artifacts_bucket.arn}/model/*"]
  }

  # The whole buckets: without this right, S3 answers 403 instead of 404 for an object that does not
  # exist, such as a first run's pointer.
  statement {
    sid       = "Absent"
    actions   = ["s3:ListBucket"]
    resources = [var.lake_bucket.arn, var.artifacts_bucket.arn]
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
  program              = "train"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.image
  execution_role_arn   = var.execution_role_arn
  policy               = data.aws_iam_policy_document.this.json
  size                 = var.size

  environment = merge({
    LAKE_BUCKET      = var.lake_bucket.name
    ARTIFACTS_BUCKET = var.artifacts_bucket.name
  }, length(var.repeat) == 0 ? {} : { TRAIN_REPEAT = join(";", var.repeat) })
}
