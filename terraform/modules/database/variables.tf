variable "name" {
  description = "Name of the instance, and prefix of the other names."
  type        = string
}

variable "engine" {
  description = "mysql for the shop's database, or postgres for the vector database."
  type        = string

  validation {
    condition     = contains(["mysql", "postgres"], var.engine)
    error_message = "engine must be mysql or postgres."
  }
}

variable "database" {
  description = "Name of the first database in the instance."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the storage, the secret and the performance data."
  type        = string
}

variable "instance_class" {
  description = "Instance class, such as db.t4g.micro."
  type        = string
  default     = "db.t4g.micro"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class must begin with db."
  }
}

variable "multi_az" {
  description = "Create a standby in a second zone."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Refuse to delete the database, and take a final snapshot."
  type        = bool
  default     = true
}

variable "storage_gib" {
  description = "Initial storage in GiB. It grows automatically to at most five times that."
  type        = number
  default     = 20

  validation {
    condition     = var.storage_gib >= 20 && var.storage_gib <= 13107
    error_message = "storage_gib must be 20 to 13107: gp3 starts at 20, and five times the value must not exceed 65535."
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
