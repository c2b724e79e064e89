variable "kms_key_arn" {
  description = "Customer managed key. null keeps the services' defaults."
  type        = string
  default     = null
}

variable "recommendations_bucket" {
  description = "Bucket that receives the delivered records."
  type        = object({ name = string, arn = string })
}

variable "stream" {
  description = "Activity stream: name, number of shards, and hours to keep records. A shard accepts 1,000 records or 1 MiB per second. shard_count null means on-demand mode."
  type = object({
    name            = string
    shard_count     = optional(number)
    retention_hours = optional(number, 24)
  })

  validation {
    condition     = var.stream.shard_count == null ? true : var.stream.shard_count >= 1 && var.stream.shard_count <= 500
    error_message = "stream.shard_count must be 1 to 500, or null for on-demand mode."
  }

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "stream.retention_hours must be 24 to 8760."
  }
}

variable "existing_stream" {
  description = "Activity stream of another environment that this one shares, with the key that encrypts it. null creates a stream."
  type        = object({ name = string, arn = string, kms_key_arn = optional(string), retention_hours = number })
  default     = null
}

variable "delivery" {
  description = "Firehose to S3: names, folders, buffering in MiB and seconds, compression, encryption of the records that wait for delivery, and an error log. The first part of prefix is fixed, because readers look there."
  type = object({
    name                       = string
    role_name                  = string
    prefix                     = optional(string, "recommendations/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/")
    error_prefix               = optional(string, "recommendations-errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/")
    buffering_size_mib         = optional(number, 64)
    buffering_interval_seconds = optional(number, 60)
    compression                = optional(string, "GZIP")
    file_extension             = optional(string, ".jsonl.gz")
    encrypt_input              = optional(bool, true)
    log_errors                 = optional(bool, true)
  })

  validation {
    condition     = startswith(var.delivery.prefix, "recommendations/")
    error_message = "delivery.prefix must begin with recommendations/, because readers look there."
  }

  validation {
    condition     = !startswith(var.delivery.error_prefix, "recommendations/")
    error_message = "delivery.error_prefix must not be below recommendations/. Readers would take errors for recommendations."
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

variable "log_retention_days" {
  description = "Days to keep the delivery's error log."
  type        = number
  default     = 365
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
