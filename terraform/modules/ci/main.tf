# The role as which continuous integration runs `make promote`. The runner has no key: it shows a
# token that an OIDC provider signed for one repository, and gets credentials for a few hours.
#
# A promotion makes roles. What keeps it from giving itself all rights is the permissions boundary:
# the role can make and change only roles that have it, and cannot change itself.

data "aws_partition" "current" {}

locals {
  create   = var.identity_provider == "create"
  provider = local.create ? aws_iam_openid_connect_provider.this[0].arn : var.identity_provider
  issuer   = local.create ? trimprefix(var.url, "https://") : split(":oidc-provider/", var.identity_provider)[1]

  iam     = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}"
  regions = { for service in ["kms", "secretsmanager"] : service => "arn:${data.aws_partition.current.partition}:${service}:${var.region}:${var.account_id}" }
  state   = "arn:${data.aws_partition.current.partition}:s3:::${var.state.bucket}"

  # What terraform/aws hands roles to.
  receivers = ["apigateway", "ecs-tasks", "firehose", "glue", "lambda", "monitoring.rds", "scheduler", "states", "vpc-flow-logs"]
}

resource "aws_iam_openid_connect_provider" "this" {
  count = local.create ? 1 : 0

  url            = var.url
  client_id_list = [var.audience]
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [var.audience]
    }

    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = var.subjects
    }
  }
}

# An apply that makes databases takes up to an hour, and a chain hours. A runner's token cannot be shown
# again after minutes, and a promotion whose credentials end leaves a share of the calls with the new
# version. A chain may take longer than this: then a person runs that promotion.
resource "aws_iam_role" "this" {
  name                 = var.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
  max_session_duration = 4 * 3600
}

data "aws_iam_policy_document" "roles" {
  statement {
    sid = "Read"
    actions = ["iam:GetOpenIDConnectProvider", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies"]
    resources = concat(["${local.iam}:role/${var.environment}-*", "${local.iam}:policy/${var.name}"], local.create ? [local.provider] : [])
  }

  statement {
    sid = "GiveRightsWithinTheBoundary"
    actions = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = ["${local.iam}:role/${var.environment}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [var.permissions_boundary]
    }
  }

  # IAM knows no condition on the boundary for these. They give a role no rights, but say who uses it.
  statement {
    sid       = "KeepRoles"
    actions   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"]
    resources = ["${local.iam}:role/${var.environment}-*"]
  }

  statement {
    sid       = "HandOver"
    actions   = ["iam:PassRole"]
    resources = ["${local.iam}:role/${var.environment}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for service in local.receivers : "${service}.amazonaws.com"]
    }
  }

  # Who may promote, and what a promotion may do, only a person changes.
  statement {
    sid    = "NotItself"
    effect = "Deny"
    actions = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
      "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"]
    resources = ["${local.iam}:role/${var.name}"]
  }
}

resource "aws_iam_role_policy" "roles" {
  name   = "roles"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.roles.json
}

data "aws_iam_policy_document" "services" {
  # checkov:skip=CKV_AWS_111:A promotion creates, changes and deletes whatever terraform/aws describes. The boundary and the region limit it.
  # checkov:skip=CKV_AWS_356:Most of what these services list and create has no name before it exists.
  # checkov:skip=CKV_AWS_107:It invokes functions and pushes images. Secrets of others are in no statement.
  # checkov:skip=CKV_AWS_108:The buckets are the environment's and the states'. Secrets of others are in no statement.
  # checkov:skip=CKV_AWS_109:It writes the policies of keys, topics, functions and buckets. Roles are limited by the other policy.

  # Of all environments in the account and region: most calls that list and create take no name.
  statement {
    sid = "Services"
    actions = ["apigateway:*", "cloudwatch:*", "ec2:*", "ecr:*", "ecs:*", "firehose:*", "glue:*", "kinesis:*", "lambda:*",
    "logs:*", "rds:*", "scheduler:*", "sns:*", "states:*", "wafv2:*"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  # Both are services of the account, outside any region.
  statement {
    sid       = "Budget"
    actions   = ["budgets:*", "ce:*"]
    resources = ["*"]
  }

  statement {
    sid       = "OwnBuckets"
    actions   = ["s3:*"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${var.buckets}-*"]
  }

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = [local.state]
  }

  # Terraform's state, and its lock.
  statement {
    sid       = "KeepState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.state}/${var.state.key}", "${local.state}/${var.state.key}.tflock"]
  }

  statement {
    sid       = "OwnKey"
    actions   = ["kms:*"]
    resources = [var.kms_key_arn, "${local.regions["kms"]}:alias/${var.environment}"]
  }

  dynamic "statement" {
    for_each = var.other_keys

    content {
      sid       = "PutOnSharedStream"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "FindKeys"
    actions   = ["kms:ListAliases", "kms:ListKeys"]
    resources = ["*"]
  }

  statement {
    sid       = "OwnSecrets"
    actions   = ["secretsmanager:*"]
    resources = ["${local.regions["secretsmanager"]}:secret:${var.environment}-*"]
  }

  # RDS makes them with the caller's rights (RDS user guide, rds-secrets-manager). Nobody reads them here.
  statement {
    sid       = "SecretsOfDatabases"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
    resources = ["${local.regions["secretsmanager"]}:secret:rds!*"]
  }
}

resource "aws_iam_policy" "services" {
  name        = var.name
  description = "What a promotion of ${var.environment} does outside IAM"
  policy      = data.aws_iam_policy_document.services.json
}

resource "aws_iam_role_policy_attachment" "services" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.services.arn
}
