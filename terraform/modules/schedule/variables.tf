variable "name" {
  description = "Name of the schedule, and prefix of every other resource name."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the schedule."
  type        = string
}

variable "expression" {
  description = "When the command runs, as EventBridge Scheduler has it, in UTC."
  type        = string
}

variable "program" {
  description = "The program that runs: its container in the task."
  type        = string
  default     = "publish"
}

variable "command" {
  description = "Command of the program with its arguments, without the program's name and --json."
  type        = list(string)
}

variable "latest_seconds" {
  description = "Until how many seconds after its time a run that could not start is tried again, 60 to 86400."
  type        = number
}

variable "result" {
  description = "Condition of a metric filter that the result of a run that succeeded meets, and nothing else that the program prints."
  type        = string
}

variable "task" {
  description = "Fargate task of the program."
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

variable "public" {
  description = "Give the task a public address."
  type        = bool
  default     = false
}

variable "security_group_id" {
  description = "Security group of the task."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
