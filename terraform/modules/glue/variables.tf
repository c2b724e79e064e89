variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the data, the bookmarks and the logs."
  type        = string
}

variable "lake_bucket" {
  description = "Bucket of the training sets."
  type        = object({ name = string, arn = string })
}

variable "code_bucket" {
  description = "Bucket of the job's launcher and program."
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

variable "subnet" {
  description = "Subnet of the connection."
  type        = object({ id = string, availability_zone = string })
}

variable "security_group_id" {
  description = "Security group of the job."
  type        = string
}

variable "launcher_path" {
  description = "Path of the job's Spark launcher on this machine."
  type        = string
}

variable "program_path" {
  description = "Path of the program etl on this machine, built for Glue's workers (Linux, x86_64)."
  type        = string
}

variable "ca_path" {
  description = "Path of a PEM file on this machine, with the certificate authorities of the source database."
  type        = string
}

variable "workers" {
  description = "G.1X workers (4 vCPU, 16 GiB), including the driver."
  type        = number
  default     = 2

  validation {
    condition     = var.workers >= 2 && var.workers <= 100
    error_message = "workers must be 2 to 100."
  }
}

variable "partitions" {
  description = "Ranges of customers that the job reads. Each is one Spark task, and only failed tasks are repeated."
  type        = number
  default     = 8

  validation {
    condition     = var.partitions >= 1 && var.partitions <= 10000
    error_message = "partitions must be 1 to 10000."
  }
}

variable "timeout_minutes" {
  description = "Minutes after which a run is stopped."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_minutes >= 1 && var.timeout_minutes <= 1440
    error_message = "timeout_minutes must be 1 to 1440."
  }
}

variable "log_retention_days" {
  description = "Days to keep the job's logs."
  type        = number
  default     = 365
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
