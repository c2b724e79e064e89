variable "name" {
  description = "Project name, the first part of every resource's name."
  type        = string
  default     = "kindred"
}

variable "environment" {
  description = "Environment, the second part of every resource's name: two of one account do not meet."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, such as dev, stage or prod."
  }
}

variable "region" {
  description = "Region."
  type        = string
  default     = "eu-west-1"
}

variable "account_id" {
  description = "The only account that this configuration may touch."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "zones" {
  description = "Zones of the region, by letter."
  type        = list(string)
  default     = ["a", "b"]
}

variable "cidr_block" {
  description = "Address range of the network; must not overlap with networks that are peered."
  type        = string
  default     = "10.40.0.0/16"
}

variable "protect" {
  description = "Deletion protection, standby databases, final snapshots, kept buckets. False for an environment that is torn down."
  type        = bool
  default     = true
}

variable "own_account_settings" {
  description = "Own what an account has once (the Glue catalog's encryption): true in one environment of an account."
  type        = bool
  default     = true
}

variable "existing_source_database" {
  description = "The shop's MySQL when it exists already, the ordinary case: host, port, database, the secret with {username, password} (and its key when it is not AWS's own), the address range to let the job out to. null makes an RDS MySQL."
  type = object({
    host               = string
    port               = optional(number, 3306)
    name               = string
    secret_arn         = string
    secret_kms_key_arn = optional(string)
    cidr               = string
  })
  default = null
}

variable "source_instance_class" {
  description = "Instance class of the source database made here."
  type        = string
  default     = "db.t4g.micro"
}

variable "vector_instance_class" {
  description = "Instance class of the vector database; the embeddings should fit into its memory."
  type        = string
  default     = "db.t4g.micro"
}

variable "package_dir" {
  description = "Folder that `make package` filled: recommend.zip, serve.zip, glue/launcher.py, glue/etl, glue/rds-ca.pem."
  type        = string
}

variable "image_tag" {
  description = "Tag of the image of the batch programs."
  type        = string
}

variable "etl_workers" {
  description = "Workers of the Glue job, the driver among them."
  type        = number
  default     = 2
}

variable "train" {
  description = "Size of train's task: CPU units, memory in MiB, scratch storage in GiB."
  type = object({
    cpu         = optional(number, 2048)
    memory_mib  = optional(number, 8192)
    storage_gib = optional(number, 30)
  })
  default = {}
}

variable "schedule_enabled" {
  description = "Run the chain every night."
  type        = bool
  default     = true
}

variable "stream" {
  description = "Activity stream: shard_count null takes on-demand mode; hours to keep records."
  type = object({
    shard_count     = optional(number)
    retention_hours = optional(number, 24)
  })
  default = {}
}

variable "mapping" {
  description = "Limits of the mapping from the stream to the function; retries -1 end with the record's age."
  type = object({
    batch_size                 = optional(number, 500)
    batching_window_seconds    = optional(number, 1)
    parallelization_factor     = optional(number, 2)
    maximum_retry_attempts     = optional(number, -1)
    maximum_record_age_seconds = optional(number, 21600)
  })
  default = {}
}

variable "function_concurrency" {
  description = "Most environments of each function at once; bounds the vector database's connections. -1 takes none from the account's pool, as a new account's pool of 10 demands."
  type        = number
  default     = 20
}

variable "reader_user" {
  description = "PostgreSQL user of the functions, who has rds_iam and reads only."
  type        = string
  default     = "recommend"
}

variable "serve_callers" {
  description = "ARNs that may call serve's function URL."
  type        = set(string)
  default     = []
}

variable "operators" {
  description = "ARNs that may take the role of `verify` and `verify redrive`."
  type        = set(string)
  default     = []
}

variable "recommendations_expire_days" {
  description = "Days to keep recommendations, quarantine and failed batches."
  type        = number
  default     = 365
}

variable "model_age_days" {
  description = "Days without a successful chain that raise an alarm, 1 to 7."
  type        = number
  default     = 3
}

variable "alarm_emails" {
  description = "Addresses that receive the alarms."
  type        = set(string)
  default     = []
}
