variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the images and the vector database's secret."
  type        = string
}

variable "programs" {
  description = "Programs that run here as tasks."
  type        = set(string)
}

variable "image_tag" {
  description = "Tag of the image of the batch programs: the commit."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a valid tag, and not latest, because tags are immutable."
  }
}

variable "vector_secret_arn" {
  description = "Secret with the vector database's password, which ECS reads for publish."
  type        = string
}

variable "force_delete" {
  description = "When the repository is destroyed, delete its images too."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
