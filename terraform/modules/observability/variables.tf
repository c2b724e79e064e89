variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region of the dashboard."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the alarm topic. null keeps the service's default."
  type        = string
  default     = null
}

variable "function_name" {
  description = "Function recommend."
  type        = string
}

variable "serve_function_name" {
  description = "Function serve. With it the alarms include those that LocalStack has no metrics for; null: none of these."
  type        = string
  default     = null
}

variable "databases" {
  description = "Databases to watch, by the name that their alarms begin with: identifier, instance class, and how many connections the class accepts."
  type        = map(object({ identifier = string, instance_class = string, most_connections = number }))
  default     = {}
}

variable "refused" {
  description = "Metric that counts the models that the gate refused; null: there is none."
  type        = object({ namespace = string, name = string })
  default     = null
}

variable "runbooks" {
  description = "Address or path of the page that says what to do about each alarm, in a section of the alarm's name."
  type        = string
  default     = "docs/runbooks.md"
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
  description = "State machine that runs etl, train and publish, or null. It is an object, so that a plan knows whether it is null."
  type        = object({ arn = string })
  default     = null
}

variable "catalogue" {
  description = "Metric that counts the runs of publish catalogue that succeeded, and the minutes between two runs; null: there is no schedule."
  type        = object({ namespace = string, name = string, minutes = number })
  default     = null
}

variable "decide" {
  description = "Metric that counts the runs of publish experiment decide that succeeded; null: there is no schedule."
  type        = object({ namespace = string, name = string })
  default     = null
}

variable "erase" {
  description = "Metric that counts the runs of erase that succeeded; null: there is no schedule."
  type        = object({ namespace = string, name = string })
  default     = null
}

variable "rollup" {
  description = "Metric that counts the runs of rollup that succeeded; null: there is no schedule."
  type        = object({ namespace = string, name = string })
  default     = null
}

variable "jobs" {
  description = "Cluster of the tasks, and the families of their definitions, whose memory the dashboard shows; null: there is none."
  type        = object({ cluster = string, families = list(string) })
  default     = null
}

variable "arm_functions" {
  description = "Names of the functions that answer the arms of experiments, by program. LocalStack does not compute with metrics: there it is empty."
  type        = map(string)
  default     = {}
}

variable "arm_fallback_points" {
  description = "An alarm is raised if, in an hour with 100 answers of each arm, the share of fallbacks among the treatment's answers is so many percentage points above the control's."
  type        = number
  default     = 10

  validation {
    condition     = var.arm_fallback_points > 0 && var.arm_fallback_points <= 100
    error_message = "arm_fallback_points must be above 0, and at most 100."
  }
}

variable "model_age_days" {
  description = "Days without a successful chain after which the live model counts as old. An alarm looks back at most 7 days."
  type        = number
  default     = 3

  validation {
    condition     = var.model_age_days >= 1 && var.model_age_days <= 7
    error_message = "model_age_days must be 1 to 7, because an alarm looks back at most 7 days."
  }
}

variable "iterator_age_seconds" {
  description = "An alarm is raised if the oldest unread record is this old, in seconds."
  type        = number
  default     = 60
}

variable "delivery_age_seconds" {
  description = "An alarm is raised if the oldest undelivered record is this old, in seconds. The age must be well above Firehose's buffering."
  type        = number
  default     = 900
}

variable "alarm_emails" {
  description = "E-mail addresses that receive the alarms. Each must confirm once."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", a))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "dashboard" {
  description = "Create the dashboard: a row for each program."
  type        = bool
  default     = true
}

variable "composite_alarm" {
  description = "Create the alarm that combines the stream's alarms. LocalStack does not support it."
  type        = bool
  default     = true
}
