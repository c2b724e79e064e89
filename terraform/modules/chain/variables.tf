variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the definition, the log and the schedule."
  type        = string
}

variable "etl_job" {
  description = "Glue job that runs first, in place of etl's task. null: the task runs."
  type        = object({ name = string, arn = string })
  default     = null
}

variable "tasks" {
  description = "Fargate tasks of the programs. Without feedback the chain has no such step."
  type = object({
    etl      = optional(object({ definition = object({ arn = string, arn_without_revision = string }), role = object({ arn = string }) }))
    feedback = optional(object({ definition = object({ arn = string, arn_without_revision = string }), role = object({ arn = string }) }))
    train    = object({ definition = object({ arn = string, arn_without_revision = string }), role = object({ arn = string }) })
    publish  = object({ definition = object({ arn = string, arn_without_revision = string }), role = object({ arn = string }) })
  })

  validation {
    condition     = (var.tasks.etl == null) != (var.etl_job == null)
    error_message = "etl is either a task or a Glue job."
  }
}

variable "spark" {
  description = "Glue job that trains in place of train's task if, by train's own estimate, training needs more than the task's memory or takes longer than most_hours. With always, the job trains everything. null: there is no such job."
  type = object({
    job        = optional(object({ name = string, arn = string }))
    most_hours = optional(number, 3)
    always     = optional(bool, false)
  })
  default = {}
}

variable "cluster" {
  description = "Cluster in which the tasks run."
  type        = object({ name = string, arn = string })
}

variable "execution_role_arn" {
  description = "Role with which ECS starts the tasks."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "public" {
  description = "Give each task a public address, by which it reaches AWS's services. Nothing reaches the task."
  type        = bool
  default     = false
}

variable "security_group_ids" {
  description = "Security groups of the tasks, by program."
  type        = map(string)
}

variable "failure_topic_arn" {
  description = "Topic that receives a message when the chain fails."
  type        = string
}

variable "program_timeout_minutes" {
  description = "Minutes after which a program is stopped."
  type        = number
  default     = 240

  validation {
    condition     = var.program_timeout_minutes >= 1
    error_message = "program_timeout_minutes must be at least 1."
  }
}

variable "timeout_hours" {
  description = "Hours after which the whole chain is stopped."
  type        = number
  default     = 20

  validation {
    condition     = var.timeout_hours >= 1 && var.timeout_hours < 24
    error_message = "timeout_hours must be at least 1, and less than 24, when the next chain begins."
  }
}

variable "schedule" {
  description = "When the chain starts, in the syntax of EventBridge Scheduler."
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
  description = "Start the chain by the schedule. With false, somebody must start it by hand."
  type        = bool
  default     = true
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
