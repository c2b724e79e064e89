# The role of a person who finds out what became of the events, and sends again what had to be given up: `verify`, `verify redrive`.

data "aws_iam_policy_document" "verify_assume" {
  count = length(var.operators) == 0 ? 0 : 1

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.operators
    }
  }
}

data "aws_iam_policy_document" "verify" {
  count = length(var.operators) == 0 ? 0 : 1

  statement {
    sid       = "Stream"
    actions   = ["kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:PutRecords"]
    resources = [aws_kinesis_stream.activity.arn]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [local.folders.recommendations, local.folders.quarantine, local.folders.failures]
  }

  statement {
    sid       = "Mark"
    actions   = ["s3:PutObject"]
    resources = [local.folders.redriven]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.recommendations_bucket.arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }
}

resource "aws_iam_role" "verify" {
  count = length(var.operators) == 0 ? 0 : 1

  name                 = "${var.name}-verify"
  assume_role_policy   = data.aws_iam_policy_document.verify_assume[0].json
  max_session_duration = 43200 # an audit of a full stream reads for hours
}

resource "aws_iam_role_policy" "verify" {
  count = length(var.operators) == 0 ? 0 : 1

  name   = "kindred"
  role   = aws_iam_role.verify[0].id
  policy = data.aws_iam_policy_document.verify[0].json
}
