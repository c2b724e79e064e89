variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Customer managed key. null keeps the services' defaults."
  type        = string
  default     = null
}

variable "stream" {
  description = "Activity stream, the hours it keeps records, and the key that encrypts it, if that is not kms_key_arn."
  type        = object({ arn = string, retention_hours = number, kms_key_arn = optional(string) })
}

variable "delivery_stream" {
  description = "Firehose delivery stream of the recommendations."
  type        = object({ name = string, arn = string })
}

variable "recommendations_bucket" {
  description = "Bucket that receives the quarantine and the failed batches."
  type        = object({ name = string, arn = string })
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

variable "vector_database" {
  description = "PostgreSQL with pgvector: its DSN and, for IAM authentication, the instance's resource id and the user. With IAM the DSN must not contain a password."
  type = object({
    dsn = string
    iam = optional(object({ resource_id = string, user = string, former_users = optional(list(string), []) }))
  })
}

variable "environment" {
  description = "More environment variables of the function."
  type        = map(string)
  default     = {}
}

variable "vpc" {
  description = "Subnets and security groups of the function. null keeps it outside a VPC."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "alias" {
  description = "Alias that the mapping calls, so that a release can be rolled back. null calls the newest code."
  type        = string
  default     = null
}

variable "function" {
  description = "The function: name, its role's name (null: the same), zip with bootstrap, architecture, memory in MiB, time limit in seconds, largest number of instances at once (-1: no limit of its own), tracing (Active or PassThrough), days to keep the log."
  type = object({
    name                 = string
    role_name            = optional(string)
    package_path         = string
    runtime              = optional(string, "provided.al2023")
    handler              = optional(string, "bootstrap")
    architecture         = optional(string, "arm64")
    memory_mib           = optional(number, 512)
    timeout_seconds      = optional(number, 60)
    reserved_concurrency = optional(number, 20)
    tracing              = optional(string, "Active")
    log_retention_days   = optional(number, 365)
  })
}

variable "mapping" {
  description = "Event source mapping, with every limit spelled out. maximum_retry_attempts -1 means that only the record's age ends the retries, because an outage would use up a limited number of attempts. When the retries end, the batch is written to the bucket."
  type = object({
    starting_position              = optional(string, "TRIM_HORIZON")
    batch_size                     = optional(number, 500)
    batching_window_seconds        = optional(number, 1)
    parallelization_factor         = optional(number, 2)
    maximum_retry_attempts         = optional(number, -1)
    maximum_record_age_seconds     = optional(number, 21600)
    bisect_batch_on_function_error = optional(bool, true)
    function_response_types        = optional(list(string), ["ReportBatchItemFailures"])
  })
  default = {}

  validation {
    condition     = var.mapping.batch_size >= 1 && var.mapping.batch_size <= 10000
    error_message = "mapping.batch_size must be 1 to 10000 records."
  }

  validation {
    condition     = var.mapping.batching_window_seconds >= 0 && var.mapping.batching_window_seconds <= 300
    error_message = "mapping.batching_window_seconds must be 0 to 300."
  }

  validation {
    condition     = var.mapping.parallelization_factor >= 1 && var.mapping.parallelization_factor <= 10
    error_message = "mapping.parallelization_factor must be 1 to 10."
  }

  validation {
    condition     = var.mapping.maximum_retry_attempts >= -1 && var.mapping.maximum_retry_attempts <= 10000
    error_message = "mapping.maximum_retry_attempts must be 0 to 10000, or -1 so that only the record's age ends the retries."
  }

  validation {
    condition     = var.mapping.maximum_record_age_seconds >= 60 && var.mapping.maximum_record_age_seconds <= var.stream.retention_hours * 3600
    error_message = "mapping.maximum_record_age_seconds must be at least 60, and at most the time that the stream keeps records. Without this limit one fault blocks its shard forever."
  }

  validation {
    condition     = contains(var.mapping.function_response_types, "ReportBatchItemFailures")
    error_message = "mapping.function_response_types must contain ReportBatchItemFailures: without it a partial failure loses events."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
