variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region, which the job's programs need."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the data and the logs."
  type        = string
}

variable "lake_bucket" {
  description = "Bucket of the training sets."
  type        = object({ name = string, arn = string })
}

variable "artifacts_bucket" {
  description = "Bucket of the model versions, and of the data and vectors that train and Spark exchange."
  type        = object({ name = string, arn = string })
}

variable "code_bucket" {
  description = "Bucket of the job's launcher and program."
  type        = object({ name = string, arn = string })
}

variable "launcher_path" {
  description = "File jobs/train/spark/als.py."
  type        = string
}

variable "program_path" {
  description = "The program train, compiled for Glue's workers."
  type        = string
}

variable "repeat" {
  description = "Rules for products that a customer has bought before, as in modules/train."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for rule in var.repeat : !strcontains(rule, "'")])
    error_message = "a rule must not contain a quotation mark."
  }
}

variable "size" {
  description = "Glue workers (their type, and their number with the driver), components of a vector, configurations to try, minutes after which the job is stopped. The driver evaluates, so a worker must have as much memory as `train size --dim RANK` says."
  type = object({
    worker_type     = optional(string, "G.4X")
    workers         = optional(number, 5)
    rank            = optional(number, 64)
    trials          = optional(number, 16)
    timeout_minutes = optional(number, 600)
  })
  default = {}

  validation {
    condition     = var.size.workers >= 2 && var.size.rank >= 2 && var.size.trials >= 1 && var.size.timeout_minutes >= 1
    error_message = "size must have at least 2 workers (one is the driver), a rank of 2, one trial and one minute."
  }
}

variable "log_retention_days" {
  description = "Days to keep the logs."
  type        = number
  default     = 365
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
