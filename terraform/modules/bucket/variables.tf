variable "name" {
  description = "Bucket name: 3 to 63 lower-case letters, digits and hyphens."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens, and end in a letter or digit."
  }
}

variable "kms_key_arn" {
  description = "Customer managed key. null means SSE-S3, the only encryption that log delivery supports."
  type        = string
  default     = null
}

variable "access_log" {
  description = "Bucket that receives the access logs, or null. It is an object, so that a plan knows whether it is null."
  type        = object({ bucket = string })
  default     = null
}

variable "log_target" {
  description = "Allow S3 to deliver access logs to this bucket."
  type        = bool
  default     = false
}

variable "expire_days" {
  description = "Days after which objects expire. null keeps them."
  type        = number
  default     = null

  validation {
    condition     = var.expire_days == null ? true : var.expire_days >= 1 && floor(var.expire_days) == var.expire_days
    error_message = "expire_days must be a whole number of days, at least 1, or null."
  }
}

variable "expire_prefix" {
  description = "Objects with this prefix expire after expire_days. null means all objects."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "When the bucket is destroyed, delete its objects too. Keep it false if you need the data."
  type        = bool
  default     = false
}

variable "lifecycle_rules" {
  description = "Set the lifecycle rules. The provider waits 55 s for them, so a local bucket has none."
  type        = bool
  default     = true
}
