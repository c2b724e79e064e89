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

variable "recommendations_bucket" {
  description = "Bucket of the delivered recommendations."
  type        = object({ name = string, arn = string })
}

variable "lake_bucket" {
  description = "Bucket of the interactions, clicks and outcomes."
  type        = object({ name = string, arn = string })
}

variable "shop_name" {
  description = "Shop whose records are read, beside those without a shop. null: all."
  type        = string
  default     = null
}

variable "size" {
  description = "Size of the task: CPU units (1024 is one vCPU), memory in MiB, scratch storage in GiB. The records are copied to the storage."
  type        = object({ cpu = number, memory_mib = number, storage_gib = number })
}

variable "erase_secret_arn" {
  description = "Secret of the list of erased persons."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
