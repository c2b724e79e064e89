variable "name" {
  description = "Name of the role."
  type        = string
}

variable "kms_key_arns" {
  description = "Keys that encrypt the stream and the bucket."
  type        = list(string)
}

variable "stream_arn" {
  description = "Activity stream."
  type        = string
}

variable "recommendations_bucket_arn" {
  description = "Bucket of the delivered records, the quarantine and the failed batches."
  type        = string
}

variable "lake_bucket_arn" {
  description = "Bucket of the list of erased persons."
  type        = string
}

variable "operators" {
  description = "Principals (ARNs) that may assume the role."
  type        = set(string)

  validation {
    condition     = length(var.operators) > 0
    error_message = "operators must name at least one principal."
  }
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
