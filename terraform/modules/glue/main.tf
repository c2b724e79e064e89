# The launcher of etl on Spark (jobs/etl/glue), for shops that are too large for one task. It takes the
# place of the task of modules/etl.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  account_id = data.aws_caller_identity.current.account_id

  training_set = "training-set" # internal/platform/envconfig.TrainingSetPrefix
}

resource "aws_glue_security_configuration" "this" {
  name = "${var.name}-etl"

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = var.kms_key_arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = var.kms_key_arn
    }

    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = var.kms_key_arn
    }
  }
}

resource "aws_glue_connection" "source" {
  name            = "${var.name}-source"
  description     = "MySQL source by JDBC; the password stays in Secrets Manager"
  connection_type = "JDBC"

  connection_properties = {
    JDBC_CONNECTION_URL = "jdbc:mysql://${var.source_database.host}:${var.source_database.port}/${var.source_database.name}"
    SECRET_ID           = var.source_database.secret_arn
    JDBC_ENFORCE_SSL    = "true"
  }

  physical_connection_requirements {
    availability_zone      = var.subnet.availability_zone
    subnet_id              = var.subnet.id
    security_group_id_list = [var.security_group_id]
  }
}

# The key contains the hash of the content. A file is deleted after the job has been updated, so that
# the job never names a file that is gone.
resource "aws_s3_object" "code" {
  for_each = merge(
    { launcher = var.launcher_path, program = var.program_path, ca = var.ca_path },
    var.shop.mapping_path == null ? {} : { mapping = var.shop.mapping_path },
  )

  bucket      = var.code_bucket.name
  key         = "glue/${filesha256(each.value)}/${basename(each.value)}"
  source      = each.value
  source_hash = filemd5(each.value)
  kms_key_id  = var.kms_key_arn

  lifecycle {
    create_before_destroy = true
  }
}

# No page of AWS says that a job's requests carry aws:SourceAccount, so there is no condition on it.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "job" {
  # checkov:skip=CKV_AWS_356:ec2:Describe* and cloudwatch:PutMetricData take no resource. A condition limits the metrics to Glue's namespace.
  statement {
    sid       = "ReadCode"
    actions   = ["s3:GetObject"]
    resources = ["${var.code_bucket.arn}/glue/*"]
  }

  statement {
    sid       = "WriteTrainingSet"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.lake_bucket.arn}/${local.training_set}/*"]
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

  statement {
    sid       = "DeleteLeftovers"
    actions   = ["s3:DeleteObject"] # only runs that were killed or changed nothing, never CURRENT
    resources = ["${var.lake_bucket.arn}/${local.training_set}/run=*"]
  }

  statement {
    sid       = "ListLake"
    actions   = ["s3:ListBucket"]
    resources = [var.lake_bucket.arn] # the whole bucket: without this right, S3 answers 403 instead of 404 for a first run's missing pointer
  }

  statement {
    sid       = "ReadSourcePassword"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.source_database.secret_arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = compact([var.kms_key_arn, var.source_database.secret_kms_key_arn])
  }

  statement {
    sid     = "Connection"
    actions = ["glue:GetConnection"]
    resources = [
      "${local.arn_prefix}:glue:${var.region}:${local.account_id}:catalog",
      aws_glue_connection.source.arn,
    ]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:AssociateKmsKey", "logs:CreateLogStream", "logs:PutLogEvents"] # Glue sets the key again that the group already has
    resources = [for g in aws_cloudwatch_log_group.job : "${g.arn}:*"]
  }

  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }

  statement {
    sid       = "DescribeNetwork"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints", "ec2:DescribeRouteTables"]
    resources = ["*"]
  }

  statement {
    sid     = "AttachToSubnet"
    actions = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:CreateTags", "ec2:DeleteTags"]
    resources = [
      "${local.arn_prefix}:ec2:${var.region}:${local.account_id}:network-interface/*",
      "${local.arn_prefix}:ec2:${var.region}:${local.account_id}:subnet/${var.subnet.id}",
      "${local.arn_prefix}:ec2:${var.region}:${local.account_id}:security-group/${var.security_group_id}",
    ]
  }
}

resource "aws_iam_role" "job" {
  name                 = "${var.name}-etl"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "job" {
  name   = "etl"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

# Glue 5.0 writes to these names if a security configuration encrypts the logs.
resource "aws_cloudwatch_log_group" "job" {
  for_each = toset(["error", "output"])

  name              = "/aws-glue/jobs/${aws_glue_security_configuration.this.name}-role/${aws_iam_role.job.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  # Which shop it is, and how it is read: by a mapping file, by a preset with its variables, or by its tables as they are.
  preset_arguments = {
    for name, value in var.shop : "--${replace(name, "_", "-")}" => value
    if name != "mapping_path" && value != null
  }
  mapping_arguments = var.shop.mapping_path == null ? {} : {
    "--mapping" = "s3://${var.code_bucket.name}/${aws_s3_object.code["mapping"].key}"
  }
}

resource "aws_glue_job" "etl" {
  name                   = "${var.name}-etl"
  description            = "The shop from MySQL to a training set"
  role_arn               = aws_iam_role.job.arn
  glue_version           = "5.0"
  worker_type            = "G.1X"
  number_of_workers      = var.workers
  timeout                = var.timeout_minutes
  max_retries            = 0 # the chain retries
  execution_class        = "STANDARD"
  connections            = [aws_glue_connection.source.name]
  security_configuration = aws_glue_security_configuration.this.name

  command {
    name            = "glueetl"
    script_location = "s3://${var.code_bucket.name}/${aws_s3_object.code["launcher"].key}"
    python_version  = "3"
  }

  # Arguments of jobs/etl/glue/launcher.py. They contain the secret's name, but never its value.
  default_arguments = merge({
    "--etl"                          = "s3://${var.code_bucket.name}/${aws_s3_object.code["program"].key}"
    "--partitions"                   = tostring(var.partitions)
    "--mysql-secret"                 = var.source_database.secret_arn
    "--mysql-address"                = "${var.source_database.host}:${var.source_database.port}/${var.source_database.name}"
    "--mysql-ca"                     = "s3://${var.code_bucket.name}/${aws_s3_object.code["ca"].key}"
    "--erase-secret"                 = var.erase_secret_arn
    "--lake"                         = var.lake_bucket.name
    "--region"                       = var.region
    "--enable-metrics"               = "true"
    "--enable-observability-metrics" = "true"
    "--job-bookmark-option"          = "job-bookmark-disable"
  }, local.preset_arguments, local.mapping_arguments)

  execution_property {
    max_concurrent_runs = 1
  }

  depends_on = [aws_cloudwatch_log_group.job, aws_iam_role_policy.job]
}
