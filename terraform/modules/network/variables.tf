variable "name" {
  description = "Prefix of every resource name."
  type        = string
}

variable "region" {
  description = "Region. It is part of the names of the endpoint services."
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

variable "put_events" {
  description = "Whether a function puts events onto Kinesis. Then the network gets an endpoint for that."
  type        = bool
  default     = false
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
