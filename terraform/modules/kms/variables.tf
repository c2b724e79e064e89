variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region of the key. It is part of the name of CloudWatch Logs' principal."
  type        = string
}

variable "deletion_window_in_days" {
  description = "Days between a destroy and the deletion of the key."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30
    error_message = "deletion_window_in_days must be 7 to 30."
  }
}
