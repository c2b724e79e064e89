mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                 = "kindred-test-ci"
  environment          = "kindred-test"
  region               = "eu-west-1"
  account_id           = "123456789012"
  identity_provider    = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  subjects             = ["repo:org/shop:environment:test"]
  permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  state                = { bucket = "states", key = "test.tfstate" }
  buckets              = "kindred-test-123456789012"
  kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "one_repository_for_hours" {
  command = plan

  assert {
    condition = { for c in one(data.aws_iam_policy_document.assume.statement).condition : "${c.test} ${c.variable}" => c.values } == {
      "StringEquals token.actions.githubusercontent.com:aud" = tolist(["sts.amazonaws.com"])
      "StringLike token.actions.githubusercontent.com:sub"   = tolist(["repo:org/shop:environment:test"])
    }
    error_message = "a token must be for this audience and this repository"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0
    error_message = "an account has one provider for each address"
  }

  assert {
    condition     = aws_iam_role.this.max_session_duration == 14400 && aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "the role is limited by the boundary, and to hours"
  }
}

run "rights_only_within_the_boundary" {
  command = plan

  assert {
    condition = alltrue([for s in data.aws_iam_policy_document.roles.statement :
      one(s.condition).variable == "iam:PermissionsBoundary" && one(s.condition).values == tolist([var.permissions_boundary])
    if s.effect != "Deny" && length(setintersection(s.actions, ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"])) > 0])
    error_message = "a role that it makes or gives rights to must have the boundary"
  }

  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.roles.statement : tolist(s.actions)]), "iam:DeleteRolePermissionsBoundary")
    error_message = "it must not remove a boundary"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.services.statement : alltrue([for a in s.actions : !startswith(a, "iam:") && a != "*"])])
    error_message = "only the policy with the boundary is about roles"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.roles.statement : s.resources if s.effect == "Deny"]) == toset(["arn:aws:iam::123456789012:role/kindred-test-ci"])
    error_message = "it must not change itself"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.services.statement : s.resources != toset(["*"]) if anytrue([for a in s.actions : can(regex("^(s3|secretsmanager):", a))])])
    error_message = "it reaches no other environment's buckets and secrets"
  }
}

run "creates_a_provider" {

  variables {
    identity_provider = "create"
    url               = "https://gitlab.example"
    subjects          = ["project_path:group/shop:ref_type:branch:ref:main"]
  }

  assert {
    condition     = one(aws_iam_openid_connect_provider.this).client_id_list == toset(["sts.amazonaws.com"])
    error_message = "the provider must know the audience"
  }

  assert {
    condition     = contains([for c in one(data.aws_iam_policy_document.assume.statement).condition : c.variable], "gitlab.example:sub")
    error_message = "the conditions must be of the provider"
  }
}

run "refuses_every_repository" {
  command = plan

  variables {
    subjects = ["*"]
  }

  expect_failures = [var.subjects]
}

run "refuses_a_whole_organisation" {
  command = plan

  variables {
    subjects = ["repo:org/*:environment:prod"]
  }

  expect_failures = [var.subjects]
}

run "refuses_every_branch" {
  command = plan

  variables {
    subjects = ["repo:org/shop:*"]
  }

  expect_failures = [var.subjects]
}

run "refuses_no_subject" {
  command = plan

  variables {
    subjects = []
  }

  expect_failures = [var.subjects]
}

run "refuses_no_boundary" {
  command = plan

  variables {
    permissions_boundary = ""
  }

  expect_failures = [var.permissions_boundary]
}

run "refuses_a_name_as_provider" {
  command = plan

  variables {
    identity_provider = "github"
  }

  expect_failures = [var.identity_provider]
}
