variable "name" {
  description = "Name of the function."
  type        = string
}

variable "role_name" {
  description = "Name of the function's role. null means the function's name."
  type        = string
  default     = null
}

variable "description" {
  description = "What the function does, for readers of the console."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Customer managed key of the environment and the log. null keeps the services' defaults."
  type        = string
  default     = null
}

variable "policies" {
  description = "Policy documents (JSON) of what the code and the event source mapping call."
  type        = list(string)
  default     = []
}

variable "package_path" {
  description = "Path of the zip with bootstrap."
  type        = string
}

variable "runtime" {
  description = "Lambda runtime."
  type        = string
  default     = "provided.al2023"
}

variable "handler" {
  description = "Handler. A provided runtime ignores it."
  type        = string
  default     = "bootstrap"
}

variable "architecture" {
  description = "arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mib" {
  description = "Memory in MiB. CPU grows with it."
  type        = number

  validation {
    condition     = var.memory_mib >= 128 && var.memory_mib <= 10240
    error_message = "memory_mib must be 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Time limit of a call in seconds."
  type        = number

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = "Largest number of instances at once. -1 sets no limit of its own."
  type        = number
}

variable "tracing" {
  description = "Active sends traces. PassThrough does not."
  type        = string

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing)
    error_message = "tracing must be Active or PassThrough."
  }
}

variable "environment" {
  description = "Environment variables, other than those of the vector database."
  type        = map(string)
  default     = {}
}

variable "vector_database" {
  description = "PostgreSQL with pgvector: its DSN and, for IAM authentication, the instance's resource id and the user. With IAM the DSN must not contain a password."
  type = object({
    dsn = string
    iam = optional(object({ resource_id = string, user = string, former_users = optional(list(string), []) }))
  })

  validation {
    condition     = var.vector_database.iam == null || !can(regex("^postgres(ql)?://[^@/]*:[^@/]*@", var.vector_database.dsn))
    error_message = "vector_database.dsn must not contain a password if the function authenticates by IAM."
  }
}

variable "vpc" {
  description = "Subnets and security groups. null keeps the function outside a VPC."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "alias" {
  description = "Alias to call, so that a release can be rolled back. null calls the newest code."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days to keep the log."
  type        = number
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
