variable "name" {
  description = "Name of the API, the web ACL and the log group."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Customer managed key of the access log. null keeps the service's default."
  type        = string
  default     = null
}

variable "function" {
  description = "The function serve: its name, and the name and ARN of the alias to call."
  type        = object({ name = string, alias = string, alias_arn = string })
}

variable "requests_per_second" {
  description = "Requests per second of all callers together. AWS allows 10,000 in an account and region."
  type        = number
  default     = 50

  validation {
    condition     = var.requests_per_second > 0 && var.requests_per_second <= 10000
    error_message = "requests_per_second must be above 0 and at most 10000, the quota of an account."
  }
}

variable "burst" {
  description = "Requests that may come at once, beyond the rate."
  type        = number
  default     = 100

  validation {
    condition     = var.burst >= 1 && var.burst <= 5000 && floor(var.burst) == var.burst
    error_message = "burst must be a whole number from 1 to 5000, the quota of an account."
  }
}

variable "requests_per_address" {
  description = "Requests of one address within five minutes. More get 429."
  type        = number
  default     = 2000

  validation {
    condition     = var.requests_per_address >= 10 && var.requests_per_address <= 2000000000 && floor(var.requests_per_address) == var.requests_per_address
    error_message = "requests_per_address must be a whole number from 10 to 2000000000."
  }
}

variable "log_retention_days" {
  description = "Days to keep the access log."
  type        = number
  default     = 365
}

variable "account_settings" {
  description = "Whether to set the role as which API Gateway writes the access logs of all APIs of the account and region. It must be set once."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
