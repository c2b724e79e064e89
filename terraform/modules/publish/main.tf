# The program publish: model version in, embeddings in the vector database out. With a source it also
# reads the shop's catalogue. modules/schedule runs its other commands.

locals {
  # The shop as etl reads it. Its server's certificate is checked with RDS's authorities, which the image
  # holds; AWS's own are in the usual folder.
  source = var.source_database == null ? {} : merge({
    MYSQL_DSN        = "tcp(${var.source_database.host}:${var.source_database.port})/${var.source_database.name}?tls=true"
    MYSQL_SECRET_ARN = var.source_database.secret_arn
    SSL_CERT_FILE    = "/rds-ca.pem"
    SSL_CERT_DIR     = "/etc/ssl/certs"
    }, { for name, value in var.shop : name == "name" ? "SHOP_NAME" : "ETL_${upper(name)}" => value
  if value != null && name != "mapping_path" })
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadModel"
    actions   = ["s3:GetObject"]
    resources = ["${var.artifacts_bucket.arn}/model/*"] # the folder of internal/platform/envconfig
  }

  # For `publish experiment`: what visitors of experiments did.
  statement {
    sid       = "ReadOutcomes"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake_bucket.arn}/outcomes/*"]
  }

  # The whole bucket: without this right, S3 answers 403 instead of 404 for a pointer that does not
  # exist yet.
  statement {
    sid       = "Absent"
    actions   = ["s3:ListBucket"]
    resources = [var.artifacts_bucket.arn, var.lake_bucket.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = compact([var.kms_key_arn, try(var.source_database.secret_kms_key_arn, null)])
  }

  dynamic "statement" {
    for_each = var.source_database == null ? [] : [var.source_database.secret_arn]

    content {
      sid       = "ReadSourcePassword"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }
}

module "task" {
  source = "../task"

  permissions_boundary = var.permissions_boundary
  name                 = var.name
  program              = "publish"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.image
  execution_role_arn   = var.execution_role_arn
  policy               = data.aws_iam_policy_document.this.json
  size                 = { cpu = 512, memory_mib = 2048, storage_gib = 21 }

  environment = merge(local.source, {
    ARTIFACTS_BUCKET = var.artifacts_bucket.name
    LAKE_BUCKET      = var.lake_bucket.name
    PGVECTOR_DSN     = var.vector_database.dsn
    PGUSER           = var.vector_database.username
    PGVECTOR_READER  = var.vector_database.reader
    PGVECTOR_WRITER  = var.vector_database.writer
  })

  # pgx takes from PGUSER and PGPASSWORD what the DSN does not say. ECS reads the password when the
  # task starts. So no state and no task definition contains it, and a rotated password is used at
  # once.
  secrets = { PGPASSWORD = "${var.vector_database.secret_arn}:password::" }
}

# publish says so when the gate refuses a version (internal/serving/vectorstore, ErrRefused).
resource "aws_cloudwatch_log_metric_filter" "refused" {
  name           = "${var.name}-refused-model"
  log_group_name = module.task.log_group_name
  pattern        = "\"the gate refused the model version\""

  metric_transformation {
    namespace = "kindred"
    name      = "${var.name}-refused-models"
    value     = "1"
  }
}
