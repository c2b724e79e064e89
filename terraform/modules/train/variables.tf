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
  description = "Bucket of the training sets."
  type        = object({ name = string, arn = string })
}

variable "artifacts_bucket" {
  description = "Bucket of the model versions."
  type        = object({ name = string, arn = string })
}

variable "repeat" {
  description = "Rules for products that a customer has bought before: hide, show, after=30d, CATEGORY=RULE, or auto alone. Without any, they are hidden."
  type        = list(string)
  default     = []
}

variable "size" {
  description = "Size of the task: CPU units (1024 is one vCPU), memory in MiB, scratch storage in GiB."
  type = object({
    cpu         = optional(number, 2048)
    memory_mib  = optional(number, 8192)
    storage_gib = optional(number, 30)
  })
  default = {}
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
