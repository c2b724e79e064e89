variable "name" {
  description = "Prefix of every resource name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name must be 2 to 31 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "names" {
  description = "Names that differ from the prefix's: the local stack's come from localstack/settings."
  type = object({
    stream          = optional(string)
    delivery_stream = optional(string)
    delivery_role   = optional(string)
    recommend       = optional(string)
    recommend_role  = optional(string)
    serve           = optional(string)
    serve_role      = optional(string)
  })
  default = {}
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Customer managed key; null leaves the services' defaults."
  type        = string
  default     = null
}

variable "recommendations_bucket" {
  description = "Bucket of the delivered records, the quarantine and the failed batches."
  type        = object({ name = string, arn = string })
}

variable "vector_database" {
  description = "PostgreSQL with pgvector: its DSN, and for IAM authentication the instance's resource id and the user (then the DSN holds no password)."
  type = object({
    dsn = string
    iam = optional(object({ resource_id = string, user = string }))
  })
}

variable "environment" {
  description = "Further environment of the function recommend."
  type        = map(string)
  default     = {}
}

variable "vpc" {
  description = "Subnets and groups of the functions; null leaves them outside a VPC."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "alias" {
  description = "Alias that the mapping and the function URL call, so that a release can be taken back; null calls the newest code."
  type        = string
  default     = null
}

variable "stream" {
  description = "Activity stream. shard_count null takes on-demand mode; a shard takes 1,000 records or 1 MiB a second."
  type = object({
    shard_count     = optional(number)
    retention_hours = optional(number, 24)
  })
  default = {}

  validation {
    condition     = var.stream.shard_count == null ? true : var.stream.shard_count >= 1 && var.stream.shard_count <= 500
    error_message = "stream.shard_count must be 1 to 500, or null for on-demand mode."
  }

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "stream.retention_hours must be 24 to 8760."
  }
}

variable "recommend" {
  description = "Function recommend: zip with bootstrap, architecture, memory in MiB, time limit in seconds, most environments at once (-1: no limit of its own), tracing Active or PassThrough."
  type = object({
    package_path         = string
    runtime              = optional(string, "provided.al2023")
    handler              = optional(string, "bootstrap")
    architecture         = optional(string, "arm64")
    memory_mib           = optional(number, 512)
    timeout_seconds      = optional(number, 60)
    reserved_concurrency = optional(number, 20)
    tracing              = optional(string, "Active")
  })
}

variable "mapping" {
  description = "Event source mapping, every limit spelled out. Retries -1: until the record is as old as allowed, so that an outage uses up no attempts before; then the batch is kept in the bucket."
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
    error_message = "mapping.maximum_retry_attempts must be 0 to 10000, or -1 to let the record's age alone end the retries."
  }

  validation {
    condition     = var.mapping.maximum_record_age_seconds >= 60 && var.mapping.maximum_record_age_seconds <= var.stream.retention_hours * 3600
    error_message = "mapping.maximum_record_age_seconds must be at least 60 and no longer than the stream keeps records: without it one fault blocks its shard for ever."
  }

  validation {
    condition     = contains(var.mapping.function_response_types, "ReportBatchItemFailures")
    error_message = "mapping.function_response_types must have ReportBatchItemFailures: a partial failure would lose events."
  }
}

variable "delivery" {
  description = "Firehose to S3: folders (the first part is fixed, readers look there), buffering in MiB and seconds, compression, own encryption of the stream, error log."
  type = object({
    prefix                     = optional(string, "recommendations/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/")
    error_prefix               = optional(string, "recommendations-errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/")
    buffering_size_mib         = optional(number, 64)
    buffering_interval_seconds = optional(number, 60)
    compression                = optional(string, "GZIP")
    file_extension             = optional(string, ".jsonl.gz")
    encrypt_input              = optional(bool, true)
    log_errors                 = optional(bool, true)
  })
  default = {}

  validation {
    condition     = startswith(var.delivery.prefix, "recommendations/")
    error_message = "delivery.prefix must begin with recommendations/: readers look there."
  }

  validation {
    condition     = !startswith(var.delivery.error_prefix, "recommendations/")
    error_message = "delivery.error_prefix must not lie below recommendations/: errors would be read as recommendations."
  }

  validation {
    condition     = var.delivery.buffering_size_mib >= 1 && var.delivery.buffering_size_mib <= 128
    error_message = "delivery.buffering_size_mib must be 1 to 128."
  }

  validation {
    condition     = var.delivery.buffering_interval_seconds >= 0 && var.delivery.buffering_interval_seconds <= 900
    error_message = "delivery.buffering_interval_seconds must be 0 to 900."
  }
}

variable "serve" {
  description = "Function serve with a function URL that asks for AWS signatures; null makes none. As recommend, and the principals (ARNs) that may call it. A request ends itself after 5 s."
  type = object({
    package_path         = string
    runtime              = optional(string, "provided.al2023")
    handler              = optional(string, "bootstrap")
    architecture         = optional(string, "arm64")
    memory_mib           = optional(number, 512)
    timeout_seconds      = optional(number, 10)
    reserved_concurrency = optional(number, 20)
    tracing              = optional(string, "Active")
    callers              = optional(set(string), [])
  })
  default = null
}

variable "operators" {
  description = "Principals (ARNs) that may take the role of `verify` and `verify redrive`; none makes no role."
  type        = set(string)
  default     = []
}

variable "log_retention_days" {
  description = "Days to keep the logs."
  type        = number
  default     = 365
}
