# The program erase: it finds what is held of persons in the three buckets and in the vector database, and
# deletes it. The secret of the list of erased persons is here too: etl, feedback, verify and Glue's launcher
# read the list with it. modules/schedule runs the program.

# A promotion gives it a random value before a program reads it: so no state contains the value.
resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:The list's marks are made with this value. With another one, nobody could tell any more who was erased.
  name                    = "${var.name}-erase"
  description             = "Secret of the list of erased persons of ${var.name}. It never changes."
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.protect ? 30 : 0
}

data "aws_iam_policy_document" "this" {
  # Every object and every version that S3 keeps: a place that nobody knows is named.
  statement {
    sid       = "Look"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [for bucket in var.buckets : bucket.arn]
  }

  statement {
    sid       = "Erase"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion"]
    resources = [for bucket in var.buckets : "${bucket.arn}/*"]
  }

  # What is left of a run, and the list.
  statement {
    sid       = "KeepTheRest"
    actions   = ["s3:PutObject"]
    resources = [for name in ["artifacts", "lake"] : "${var.buckets[name].arn}/*"]
  }

  # The records of others in the same object.
  statement {
    sid       = "KeepOthersRecords"
    actions   = ["s3:PutObject"]
    resources = ["${var.buckets["recommendations"].arn}/*"]
  }

  statement {
    sid       = "ReadEraseSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.this.arn]
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
  program              = "erase"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.image
  execution_role_arn   = var.execution_role_arn
  policy               = data.aws_iam_policy_document.this.json
  size                 = var.size

  environment = merge({ for name, bucket in var.buckets : "${upper(name)}_BUCKET" => bucket.name }, {
    PGVECTOR_DSN     = var.vector_database.dsn
    PGUSER           = var.vector_database.username
    ERASE_SECRET_ARN = aws_secretsmanager_secret.this.arn
    KEPT_ELSEWHERE   = join(";", [for what, hours in var.kept_elsewhere_hours : "${what}=${hours}h"])
  })

  secrets = { PGPASSWORD = "${var.vector_database.secret_arn}:password::" }
}
