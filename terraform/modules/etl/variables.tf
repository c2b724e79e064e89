variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the data and the log."
  type        = string
}

variable "lake_bucket" {
  description = "Bucket of the training sets."
  type        = object({ name = string, arn = string })
}

variable "recommendations_bucket" {
  description = "Bucket of the delivered recommendations, for the catalog."
  type        = object({ name = string, arn = string })
}

variable "code_bucket" {
  description = "Bucket of the mapping file."
  type        = object({ name = string, arn = string })
}

variable "source_database" {
  description = "MySQL source. The secret contains the DSN or {username, password}. secret_kms_key_arn is the key that encrypts the secret, if that is another key than kms_key_arn."
  type = object({
    host               = string
    port               = number
    name               = string
    secret_arn         = string
    secret_kms_key_arn = optional(string)
  })

  validation {
    condition     = var.source_database.port >= 1 && var.source_database.port <= 65535
    error_message = "source_database.port must be 1 to 65535."
  }
}

variable "shop" {
  description = "The shop's name (default: that of its database), and how etl reads it: by a mapping file on this machine (mapping_path), or by a preset (auto or a system's name) with its variables. Without mapping_path and preset, etl reads kindred's own tables: kindred_interactions and its companions if they exist, else customers, products and ratings."
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
    condition     = var.shop.mapping_path == null || var.shop.preset == null
    error_message = "shop has mapping_path or preset, not both."
  }

  validation {
    condition     = var.shop.preset != null || alltrue([for name, value in var.shop : value == null || contains(["mapping_path", "name"], name)])
    error_message = "shop.prefix, store, language, currency, paid and live_version need shop.preset."
  }

  validation {
    condition     = var.shop.name == null || can(regex("^[A-Za-z0-9_-]{1,40}$", var.shop.name))
    error_message = "shop.name must consist of at most 40 letters, digits, _ and -."
  }
}

variable "encrypt_catalog" {
  description = "Manage the encryption setting of the Glue catalog, which exists once per account and region. True in at most one environment of an account."
  type        = bool
  default     = false
}

variable "task" {
  description = "Image of the batch programs, the role with which ECS starts a task, and the task's size: CPU units, memory in MiB, scratch storage in GiB. null: there is no task, because Glue reads the shop."
  type = object({
    image              = string
    execution_role_arn = string
    size               = object({ cpu = number, memory_mib = number, storage_gib = number })
  })
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
