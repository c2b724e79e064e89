variable "name" {
  description = "Name of the secret."
  type        = string
}

variable "description" {
  description = "Which database the login is for, and who reads it."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the secret."
  type        = string
}

variable "username" {
  description = "User name."
  type        = string
  ephemeral   = true
}

variable "password" {
  description = "Password."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.password != ""
    error_message = "password must not be empty."
  }
}
