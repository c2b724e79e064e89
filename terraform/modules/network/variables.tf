variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region. It is part of the names of the endpoint services."
  type        = string
}

variable "account_id" {
  description = "Account whose principals and buckets the endpoints admit."
  type        = string
}

variable "cidr_block" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.cidr_block, 4, 15)) && tonumber(split("/", var.cidr_block)[1]) <= 24
    error_message = "cidr_block must be an IPv4 range of /24 or larger, because it is divided into 16 subnets."
  }
}

variable "availability_zones" {
  description = "Names of the availability zones to use. They are listed so that a new zone of the region does not change the network."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must name at least two different zones, because RDS requires two."
  }

  validation {
    condition     = length(var.availability_zones) <= 8
    error_message = "availability_zones must name at most eight zones: the address range has 16 subnets, two for each zone."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the flow logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days to keep the flow logs."
  type        = number
  default     = 365
}

variable "programs" {
  description = "Programs that run in the network: which databases each connects to (source_db, vector_db), and whether it is a task."
  type        = map(object({ databases = optional(set(string), []), task = optional(bool, true) }))

  validation {
    condition     = alltrue([for p in var.programs : length(setsubtract(p.databases, ["source_db", "vector_db"])) == 0])
    error_message = "databases are source_db and vector_db."
  }
}

variable "put_events" {
  description = "Whether a function puts events onto Kinesis. Then the network gets an endpoint for that."
  type        = bool
  default     = false
}

variable "glue" {
  description = "Whether a Glue job runs in the network. Then it gets the endpoints that Glue needs."
  type        = bool
  default     = false
}

variable "sessions" {
  description = "Whether a person opens sessions in a task. Then the network gets the endpoint by which the task takes them."
  type        = bool
  default     = false
}

variable "public_tasks" {
  description = "Whether the tasks run with a public address. Then the network gets public subnets, in place of the endpoints that only tasks need."
  type        = bool
  default     = false
}

variable "endpoint_zones" {
  description = "In how many of the zones each interface endpoint is. If its zone fails, the programs of the other zones do not reach the service either."
  type        = number
  default     = 16

  validation {
    condition     = var.endpoint_zones >= 1
    error_message = "endpoint_zones must be at least 1."
  }
}

variable "external_source" {
  description = "Address range and port of a source database outside this network, or null."
  type        = object({ cidr = string, port = number })
  default     = null

  validation {
    condition     = var.external_source == null ? true : can(cidrhost(var.external_source.cidr, 0)) && var.external_source.cidr != "0.0.0.0/0"
    error_message = "external_source.cidr must be an address range, but not the whole internet."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles may be allowed. null: none."
  type        = string
  default     = null
}
