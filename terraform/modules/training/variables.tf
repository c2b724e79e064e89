variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts images, logs and definitions."
  type        = string
}

variable "lake_bucket" {
  description = "Bucket of the training sets."
  type        = object({ name = string, arn = string })
}

variable "artifacts_bucket" {
  description = "Bucket of the model versions."
  type        = object({ name = string, arn = string })
}

variable "vector_database" {
  description = "PostgreSQL with pgvector: DSN without user and password, the owner's name, the secret that holds {password}, and the role that the functions log in as."
  type        = object({ dsn = string, username = string, secret_arn = string, reader = string })

  validation {
    condition     = !strcontains(var.vector_database.dsn, "@")
    error_message = "vector_database.dsn must name neither user nor password: they come as PGUSER and PGPASSWORD."
  }
}

variable "etl_job" {
  description = "Glue job that runs first."
  type        = object({ name = string, arn = string })
}

variable "failure_topic_arn" {
  description = "Topic that is told when the chain fails."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the tasks."
  type        = string
}

variable "image_tag" {
  description = "Tag of the image of the batch programs: the commit."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag, and not latest: tags are immutable here."
  }
}

variable "train" {
  description = "Size of train's task: CPU units (1024 is one vCPU), memory in MiB, scratch storage in GiB."
  type = object({
    cpu         = optional(number, 2048)
    memory_mib  = optional(number, 8192)
    storage_gib = optional(number, 30)
  })
  default = {}

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.train.cpu)
    error_message = "train.cpu must be one of Fargate's sizes: 256, 512, 1024, 2048, 4096, 8192, 16384."
  }

  validation {
    condition     = var.train.storage_gib >= 21 && var.train.storage_gib <= 200
    error_message = "train.storage_gib must be 21 to 200."
  }
}

variable "program_timeout_minutes" {
  description = "Minutes after which train or publish is ended."
  type        = number
  default     = 240

  validation {
    condition     = var.program_timeout_minutes >= 1
    error_message = "program_timeout_minutes must be at least 1."
  }
}

variable "schedule" {
  description = "When the chain starts, as EventBridge Scheduler writes it."
  type        = string
  default     = "cron(30 2 * * ? *)"

  validation {
    condition     = can(regex("^(cron|rate|at)\\(.+\\)$", var.schedule))
    error_message = "schedule must be cron(…), rate(…) or at(…)."
  }
}

variable "timezone" {
  description = "Time zone of the schedule."
  type        = string
  default     = "UTC"
}

variable "schedule_enabled" {
  description = "Start the chain by the schedule; false leaves it to people."
  type        = bool
  default     = true
}

variable "force_delete" {
  description = "Delete the images with the repository."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days to keep the logs."
  type        = number
  default     = 365
}
