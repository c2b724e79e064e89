variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the schedule."
  type        = string
}

variable "minutes" {
  description = "Minutes from one run to the next."
  type        = number

  validation {
    condition     = var.minutes >= 1 && var.minutes <= 60 && floor(var.minutes) == var.minutes
    error_message = "minutes must be a whole number from 1 to 60."
  }
}

variable "task" {
  description = "Fargate task of publish."
  type        = object({ definition = object({ arn = string, arn_without_revision = string }), role = object({ arn = string }) })
}

variable "log_group_name" {
  description = "Log group of that task."
  type        = string
}

variable "cluster" {
  description = "Cluster in which the task runs."
  type        = object({ arn = string })
}

variable "execution_role_arn" {
  description = "Role with which ECS starts the task."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the task."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the task."
  type        = string
}
