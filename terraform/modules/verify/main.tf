# The role of a person who runs `verify` (what became of the events) and `verify redrive` (sends
# again the events that were given up).

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.operators
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Stream"
    actions   = ["kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:PutRecords"]
    resources = [var.stream_arn]
  }

  # The folders of internal/platform/envconfig. Lambda itself chose aws/lambda for failed batches.
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for folder in ["recommendations", "quarantine", "aws/lambda"] : "${var.recommendations_bucket_arn}/${folder}/*"]
  }

  # Who was erased: the outcomes of their events are deleted.
  statement {
    sid       = "ReadErased"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake_bucket_arn}/erased/*"]
  }

  statement {
    sid       = "ReadEraseSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.erase_secret_arn]
  }

  statement {
    sid       = "Mark"
    actions   = ["s3:PutObject"]
    resources = ["${var.recommendations_bucket_arn}/redriven/*"]
  }

  # The lake too: without this right, S3 answers 403 instead of 404 if nobody was erased.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.recommendations_bucket_arn, var.lake_bucket_arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = var.kms_key_arns
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
  max_session_duration = 43200 # an audit of a full stream reads for hours
}

resource "aws_iam_role_policy" "this" {
  name   = "kindred"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
