variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "program" {
  description = "The program: its file in the image, and the last part of every resource name."
  type        = string
}

variable "region" {
  description = "Region of the log."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the log."
  type        = string
}

variable "image" {
  description = "Image that contains the program, with its tag."
  type        = string
}

variable "execution_role_arn" {
  description = "Role with which ECS starts the task."
  type        = string
}

variable "policy" {
  description = "Policy document (JSON) of what the program calls."
  type        = string
}

variable "size" {
  description = "CPU units (1024 is one vCPU), memory in MiB, scratch storage in GiB."
  type        = object({ cpu = number, memory_mib = number, storage_gib = number })

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.size.cpu)
    error_message = "size.cpu must be one of Fargate's sizes: 256, 512, 1024, 2048, 4096, 8192, 16384."
  }

  validation {
    condition     = var.size.storage_gib >= 21 && var.size.storage_gib <= 200
    error_message = "size.storage_gib must be 21 to 200."
  }
}

variable "environment" {
  description = "Environment variables of the program. None is a secret."
  type        = map(string)
}

variable "secrets" {
  description = "Environment variables that ECS reads from Secrets Manager when the task starts: name to the secret's ARN and key."
  type        = map(string)
  default     = {}
}

variable "log_retention_days" {
  description = "Days to keep the log."
  type        = number
  default     = 365
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}

variable "exec" {
  description = "Whether a person may open sessions in the task (ECS Exec). Then it may write to its root file system."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels of the container."
  type        = map(string)
  default     = {}
}
