variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Customer managed key. null keeps the services' defaults."
  type        = string
  default     = null
}

variable "artifacts_bucket" {
  description = "Bucket of the model versions, whose products the function keeps in memory while they fit. null: the vector database answers everything."
  type        = object({ name = string, arn = string })
  default     = null
}

variable "memory_share" {
  description = "How much of the function's memory these products may take, from 0 to 0.6. 0 keeps none."
  type        = number
  default     = 0.5

  validation {
    condition     = var.memory_share >= 0 && var.memory_share <= 0.6
    error_message = "memory_share must be 0 to 0.6: the rest of the memory is for answers."
  }
}

variable "delivery_stream" {
  description = "Firehose delivery stream that takes a record of each answer. null: answers are not recorded, and their recommendation_id is null."
  type        = object({ name = string, arn = string })
  default     = null
}

variable "stream" {
  description = "Kinesis stream that takes the events of POST /events. null: none are taken."
  type        = object({ name = string, arn = string, kms_key_arn = optional(string) })
  default     = null
}

variable "site_keys" {
  description = "JSON of the keys that callers need, as docs/formats.md describes it. It contains only publishable keys, and digests of secret ones. null: callers need no key, and the function URL is for signed requests alone."
  type        = string
  default     = null

  validation {
    condition     = var.site_keys == null || can(jsondecode(var.site_keys).keys)
    error_message = "site_keys must be JSON with the list keys."
  }
}

variable "vector_database" {
  description = "PostgreSQL with pgvector: its DSN and, for IAM authentication, the instance's resource id and the user. With IAM the DSN must not contain a password."
  type = object({
    dsn = string
    iam = optional(object({ resource_id = string, user = string }))
  })
}

variable "environment" {
  description = "Environment variables of the function, in addition to those of the vector database."
  type        = map(string)
  default     = {}
}

variable "vpc" {
  description = "Subnets and security groups of the function. null keeps it outside a VPC."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "alias" {
  description = "Alias that the function URL calls, so that a release can be rolled back. null calls the newest code."
  type        = string
  default     = null
}

variable "function" {
  description = "The function: name, its role's name (null: the same), zip with bootstrap, architecture, memory in MiB, time limit in seconds (a request ends after 5), largest number of instances at once (-1: no limit of its own), tracing (Active or PassThrough), days to keep the log."
  type = object({
    name                 = string
    role_name            = optional(string)
    package_path         = string
    runtime              = optional(string, "provided.al2023")
    handler              = optional(string, "bootstrap")
    architecture         = optional(string, "arm64")
    memory_mib           = optional(number, 512)
    timeout_seconds      = optional(number, 10)
    reserved_concurrency = optional(number, 20)
    tracing              = optional(string, "Active")
    log_retention_days   = optional(number, 365)
  })
}

variable "callers" {
  description = "Principals (ARNs) that may call the function URL."
  type        = set(string)
  default     = []
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
