variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket and the log."
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
  description = "Bucket of the outcomes of experiments."
  type        = object({ name = string, arn = string })
}

variable "artifacts_bucket" {
  description = "Bucket of the model versions."
  type        = object({ name = string, arn = string })
}

variable "vector_database" {
  description = "PostgreSQL with pgvector: DSN without user and password, the owner's name, the secret that contains {password}, and the roles as which serve (reader) and recommend (writer) log in."
  type        = object({ dsn = string, username = string, secret_arn = string, reader = string, writer = string })

  validation {
    condition     = !strcontains(var.vector_database.dsn, "@")
    error_message = "vector_database.dsn must contain neither user nor password: they come as PGUSER and PGPASSWORD."
  }
}

variable "source_database" {
  description = "The shop's MySQL, as for etl, if publish is to read the shop's catalogue; else null."
  type = object({
    host               = string
    port               = number
    name               = string
    secret_arn         = string
    secret_kms_key_arn = optional(string)
  })
  default = null
}

variable "shop" {
  description = "The shop's name, and the preset with its variables, as for etl. A mapping file does not reach the task."
  type = object({
    name         = optional(string)
    mapping_path = optional(string)
    preset       = optional(string)
    prefix       = optional(string)
    store        = optional(string)
    language     = optional(string)
    currency     = optional(string)
    paid         = optional(string)
    live_version = optional(string)
  })
  default = {}

  validation {
    condition     = var.source_database == null || var.shop.mapping_path == null
    error_message = "publish cannot read the catalogue of a shop with mapping_path on AWS: run publish catalogue elsewhere, and leave catalogue_minutes at 0."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
