# The program train past one machine: a Glue job in which Spark's MLlib fits, and the program exports,
# evaluates and commits (jobs/train/spark). It needs nothing of the network: only S3, and no database.

resource "aws_glue_security_configuration" "this" {
  name = "${var.name}-train-spark"

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

# The key contains the hash of the content, as in modules/etl.
resource "aws_s3_object" "code" {
  for_each = { launcher = var.launcher_path, program = var.program_path }

  bucket      = var.code_bucket.name
  key         = "glue/${filesha256(each.value)}/${basename(each.value)}"
  source      = each.value
  source_hash = filemd5(each.value)
  kms_key_id  = var.kms_key_arn

  lifecycle {
    create_before_destroy = true
  }
}

# As in modules/etl, without a condition on the source.
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
  # checkov:skip=CKV_AWS_356:cloudwatch:PutMetricData takes no resource. A condition limits it to Glue's namespace.
  statement {
    sid       = "ReadCode"
    actions   = ["s3:GetObject"]
    resources = ["${var.code_bucket.arn}/glue/*"]
  }

  statement {
    sid       = "ReadTrainingSet"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake_bucket.arn}/training-set/*", "${var.lake_bucket.arn}/feedback/*"]
  }

  statement {
    sid       = "WriteModel"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.artifacts_bucket.arn}/model/*", "${var.artifacts_bucket.arn}/fits/run=*"]
  }

  # Spark writes vectors under temporary names, checkpoints and marks of folders. train deletes old exports.
  statement {
    sid       = "DeleteFits"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject"]
    resources = ["${var.artifacts_bucket.arn}/fits/run=*"]
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
}

resource "aws_iam_role" "job" {
  name                 = "${var.name}-train-spark"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "job" {
  name   = "train-spark"
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

resource "aws_glue_job" "train" {
  name                   = "${var.name}-train-spark"
  description            = "A training set to a model version, fitted by Spark"
  role_arn               = aws_iam_role.job.arn
  glue_version           = "5.0"
  worker_type            = var.size.worker_type
  number_of_workers      = var.size.workers
  timeout                = var.size.timeout_minutes
  max_retries            = 0 # the chain retries
  execution_class        = "STANDARD"
  security_configuration = aws_glue_security_configuration.this.name

  command {
    name            = "glueetl"
    script_location = "s3://${var.code_bucket.name}/${aws_s3_object.code["launcher"].key}"
    python_version  = "3"
  }

  # Arguments of jobs/train/spark/als.py.
  default_arguments = merge({
    "--train"                        = "s3://${var.code_bucket.name}/${aws_s3_object.code["program"].key}"
    "--rank"                         = tostring(var.size.rank)
    "--trials"                       = tostring(var.size.trials)
    "--lake"                         = var.lake_bucket.name
    "--artifacts"                    = var.artifacts_bucket.name
    "--region"                       = var.region
    "--enable-metrics"               = "true"
    "--enable-observability-metrics" = "true"
    "--job-bookmark-option"          = "job-bookmark-disable"
  }, length(var.repeat) == 0 ? {} : { "--train-flags" = join(" ", [for rule in var.repeat : "--repeat '${rule}'"]) })

  execution_property {
    max_concurrent_runs = 1
  }

  depends_on = [aws_cloudwatch_log_group.job, aws_iam_role_policy.job]
}
