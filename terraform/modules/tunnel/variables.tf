variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "account_id" {
  description = "Account."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the log."
  type        = string
}

variable "image" {
  description = "Image of the batch programs, with its tag."
  type        = string
}

variable "repository_arn" {
  description = "Repository of the image."
  type        = string
}

variable "operators" {
  description = "Principals (ARNs) that may assume the role."
  type        = set(string)

  validation {
    condition     = length(var.operators) > 0
    error_message = "operators must name at least one principal."
  }
}

variable "hours" {
  description = "Hours after which a tunnel closes by itself."
  type        = number

  validation {
    condition     = var.hours >= 1 && var.hours <= 12 && floor(var.hours) == var.hours
    error_message = "hours must be a whole number from 1 to 12: a role's session lasts at most 12."
  }
}

variable "target" {
  description = "Where the task runs: cluster, subnets, security group, and whether it has a public address."
  type = object({
    cluster        = object({ name = string, arn = string })
    subnets        = list(string)
    security_group = string
    public         = bool
  })
}

variable "database" {
  description = "The vector database: address, RDS's id of it, and the PostgreSQL role that only reads."
  type        = object({ host = string, port = number, name = string, resource_id = string, user = string })
}

variable "buckets" {
  description = "Buckets that the console reads: artifacts, lake, recommendations."
  type        = map(object({ name = string, arn = string }))
}

variable "stream" {
  description = "Activity stream, and the keys that encrypt it and the buckets."
  type        = object({ name = string, arn = string, key_arns = list(string) })
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
