variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the buckets and the log."
  type        = string
}

variable "image" {
  description = "Image of the batch programs, with its tag."
  type        = string
}

variable "execution_role_arn" {
  description = "Role with which ECS starts the task."
  type        = string
}

variable "lake_bucket" {
  description = "Bucket of the roll-ups."
  type        = object({ name = string, arn = string })
}

variable "recommendations_bucket" {
  description = "Bucket of the delivered records, the quarantine and the failed batches."
  type        = object({ name = string, arn = string })
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
