variable "name" {
  description = "Name of the budget and of the monitor."
  type        = string
}

variable "environment" {
  description = "Value of the tag Environment, by which AWS counts the costs."
  type        = string
}

variable "usd" {
  description = "US dollars that the environment may cost in a month."
  type        = number

  validation {
    condition     = var.usd >= 1
    error_message = "usd must be at least 1."
  }
}

variable "emails" {
  description = "E-mail addresses that are told."
  type        = set(string)

  validation {
    condition     = length(var.emails) >= 1 && length(var.emails) <= 10
    error_message = "a budget tells 1 to 10 addresses: set alarm_emails."
  }
}
