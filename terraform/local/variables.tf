variable "endpoint" {
  description = "Where LocalStack answers, as the function sees it."
  type        = string
  default     = "http://127.0.0.1:4566"

  validation {
    condition     = can(regex("^http://[^/]+$", var.endpoint)) && !strcontains(var.endpoint, "amazonaws.com")
    error_message = "endpoint must be http://host:port of LocalStack."
  }
}

variable "function_zips" {
  description = "Zips with the functions for this machine."
  type        = object({ recommend = string, serve = string })
}

variable "host_architecture" {
  description = "What the settings' architecture host means: that of this machine, arm64 or x86_64."
  type        = string
}

variable "pgvector_dsn" {
  description = "Local vector database. Its password is of this machine only, and so is the state that holds it."
  type        = string
  sensitive   = true
}

variable "shop_login" {
  description = "Login of the shop's MySQL. It goes into the secret, and into no plan and no state."
  type        = object({ username = string, password = string })
  sensitive   = true
  ephemeral   = true
}

variable "suffix" {
  description = "Put behind every name, so that a test has resources of its own."
  type        = string
  default     = ""
}
