variable "name" {
  description = "Name of the role."
  type        = string
}

variable "environment" {
  description = "Prefix of the names of the environment's resources, without a hyphen at its end."
  type        = string
}

variable "region" {
  description = "The only region in which the role may change anything."
  type        = string
}

variable "account_id" {
  description = "Account."
  type        = string
}

variable "identity_provider" {
  description = "ARN of the account's OIDC provider, or create. An account has one provider for each address."
  type        = string

  validation {
    condition     = var.identity_provider == "create" || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/[^*?]+$", var.identity_provider))
    error_message = "identity_provider must be create, or the ARN of an OIDC provider: arn:aws:iam::ACCOUNT:oidc-provider/HOST."
  }
}

variable "url" {
  description = "Address of the OIDC provider to create."
  type        = string
  default     = "https://token.actions.githubusercontent.com"

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(/[A-Za-z0-9._/-]*[A-Za-z0-9])?$", var.url))
    error_message = "url must begin with https:// and end without a slash."
  }
}

variable "audience" {
  description = "Audience that a token must name."
  type        = string
  default     = "sts.amazonaws.com"

  validation {
    condition     = can(regex("^[^*?]+$", var.audience))
    error_message = "audience must be a text without * and ?."
  }
}

# A token's subject says which repository it was made for, and which branch or environment. Without the
# repository, every customer of the provider could promote; with * for the rest, every pull request.
variable "subjects" {
  description = "Subjects that may assume the role, such as repo:org/shop:environment:prod. * may stand for a part of a name, not for a whole one."
  type        = set(string)

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for s in var.subjects : can(regex("^[a-z_]+:[A-Za-z0-9_.@-]+(/[A-Za-z0-9_.@-]+)+:.+$", s))])
    error_message = "Each of subjects must name one repository without * and ?, and what of it: repo:org/shop:environment:prod, or project_path:group/project:ref_type:branch:ref:main."
  }

  validation {
    condition     = alltrue([for s in var.subjects : alltrue([for part in split(":", s) : !can(regex("^[*?]*$", part))])])
    error_message = "No part of subjects may be empty or only *: name a branch, a tag or an environment."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits this role and every role that it makes. The policy itself must refuse to make a role without it, to remove it and to change it."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of a policy: without it, a promotion could make a role that may do everything."
  }
}

variable "state" {
  description = "Bucket of Terraform's states, and the key of this environment's state."
  type        = object({ bucket = string, key = string })
}

variable "buckets" {
  description = "Prefix of the names of the environment's buckets, without a hyphen at its end."
  type        = string
}

variable "kms_key_arn" {
  description = "The environment's key."
  type        = string
}

variable "other_keys" {
  description = "Key of a stream that other environments share, by any name. The smoke test puts an event there."
  type        = map(string)
  default     = {}
}
