variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region of the dashboard."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the alarm topic; null leaves the service default."
  type        = string
  default     = null
}

variable "function_name" {
  description = "Function recommend."
  type        = string
}

variable "stream_name" {
  description = "Activity stream."
  type        = string
}

variable "delivery_stream_name" {
  description = "Firehose delivery stream."
  type        = string
}

variable "chain" {
  description = "State machine etl, train, publish; null where there is none. An object, so that null is known while planning."
  type        = object({ arn = string })
  default     = null
}

variable "model_age_days" {
  description = "Days without a successful chain after which the live model counts as old: 1 to 7, the longest that an alarm looks back."
  type        = number
  default     = 3

  validation {
    condition     = var.model_age_days >= 1 && var.model_age_days <= 7
    error_message = "model_age_days must be 1 to 7: an alarm looks back no further."
  }
}

variable "iterator_age_seconds" {
  description = "Age of the oldest unread record that raises an alarm."
  type        = number
  default     = 60
}

variable "delivery_age_seconds" {
  description = "Age of the oldest undelivered record that raises an alarm; well above Firehose's buffering."
  type        = number
  default     = 900
}

variable "alarm_emails" {
  description = "Addresses that receive the alarms, each after it confirmed."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", a))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "composite_alarm" {
  description = "Create the alarm that sums up the stream's alarms. LocalStack has none."
  type        = bool
  default     = true
}
