variable "endpoint" {
  description = "LocalStack's address, as the functions reach it."
  type        = string
  default     = "http://127.0.0.1:4566"

  validation {
    condition     = can(regex("^http://[^/]+$", var.endpoint)) && !strcontains(var.endpoint, "amazonaws.com")
    error_message = "endpoint must be LocalStack's http://host:port."
  }
}

variable "function_zips" {
  description = "Paths of the functions' zips, built for this machine."
  type        = object({ recommend = string, serve = string })
}

variable "host_architecture" {
  description = "Architecture of this machine, arm64 or x86_64. It replaces \"host\" in the settings."
  type        = string
}

variable "pgvector_writer_dsn" {
  description = "pgvector_dsn for recommend, whose role also writes the state outside the model versions."
  type        = string
  sensitive   = true
}

variable "pgvector_dsn" {
  description = "DSN of the local vector database, as serve uses it. Terraform's state contains the DSN's password. State and database exist on this machine only."
  type        = string
  sensitive   = true
}

variable "shop_login" {
  description = "Login of the shop's MySQL. It is written to the secret, and is in no plan and no state."
  type        = object({ username = string, password = string })
  sensitive   = true
  ephemeral   = true
}

variable "suffix" {
  description = "Added to every name, so that a test has its own resources."
  type        = string
  default     = ""
}
