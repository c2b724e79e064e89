variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the buckets, the secret and the log."
  type        = string
}

variable "image" {
  description = "Image of the batch programs, with its tag."
  type        = string
}

variable "execution_role_arn" {
  description = "Role with which ECS starts the task."
  type        = string
}

variable "buckets" {
  description = "The buckets lake, artifacts and recommendations, by these names."
  type        = map(object({ name = string, arn = string }))

  validation {
    condition     = toset(keys(var.buckets)) == toset(["artifacts", "lake", "recommendations"])
    error_message = "buckets must have the keys artifacts, lake and recommendations."
  }
}

variable "vector_database" {
  description = "PostgreSQL with pgvector: DSN without user and password, the owner's name, and the secret that contains {password}."
  type        = object({ dsn = string, username = string, secret_arn = string })

  validation {
    condition     = !strcontains(var.vector_database.dsn, "@")
    error_message = "vector_database.dsn must contain neither user nor password: they come as PGUSER and PGPASSWORD."
  }
}

variable "size" {
  description = "Size of the task: CPU units (1024 is one vCPU), memory in MiB, scratch storage in GiB. Eight objects are in memory at once."
  type        = object({ cpu = number, memory_mib = number, storage_gib = number })
}

variable "kept_elsewhere_hours" {
  description = "What keeps data of persons where erase cannot delete it, and for how many hours. erase says when each of them ends."
  type        = map(number)

  validation {
    condition     = alltrue([for what, hours in var.kept_elsewhere_hours : hours > 0 && length(regexall("[=;]", what)) == 0])
    error_message = "kept_elsewhere_hours must have positive numbers, and no = or ; in what they are about."
  }
}

variable "protect" {
  description = "Keep the secret for 30 days after it was deleted."
  type        = bool
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
