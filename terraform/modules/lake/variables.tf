variable "buckets" {
  description = "Buckets by role: lake (training sets), artifacts (model versions), recommendations (delivered records, the quarantine, failed batches) and, on AWS, code. expire_days null keeps objects. With expire_prefix only those with the prefix expire."
  type = map(object({
    name          = string
    expire_days   = optional(number)
    expire_prefix = optional(string)
  }))

  validation {
    condition     = length(setsubtract(["lake", "artifacts", "recommendations"], keys(var.buckets))) == 0
    error_message = "buckets must contain the roles lake, artifacts and recommendations."
  }

  validation {
    condition     = length(distinct([for b in var.buckets : b.name])) == length(var.buckets)
    error_message = "buckets must have different names."
  }
}

variable "access_log_bucket" {
  description = "Name of a bucket for the others' access logs. null creates none."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "Key that encrypts the buckets. null means SSE-S3."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "When the buckets are destroyed, delete their objects too. Keep it false if you need the data."
  type        = bool
  default     = false
}

variable "lifecycle_rules" {
  description = "Set the lifecycle rules. The provider waits 55 s for each bucket's rules, so local buckets have none."
  type        = bool
  default     = true
}
