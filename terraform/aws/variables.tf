variable "name" {
  description = "Project name: the first part of every resource's name."
  type        = string
  default     = "kindred"
}

variable "environment" {
  description = "Environment: the second part of every resource's name, so that two environments of one account share no name."
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
  description = "The only account in which this configuration may change anything."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "zones" {
  description = "Letters of the region's availability zones to use."
  type        = list(string)
  default     = ["a", "b"]
}

variable "cidr_block" {
  description = "Address range of the network. It must not overlap with peered networks."
  type        = string
  default     = "10.40.0.0/16"
}

variable "protect" {
  description = "Protect data from a destroy, and give the databases final snapshots and, in the profile standard, a standby. Set it to false before you destroy an environment."
  type        = bool
  default     = true
}

variable "profile" {
  description = "What the environment costs when nobody uses it, and what it gives up: small (tasks with public addresses, endpoints in one zone, one shard, no standby, no dashboard), standard or large (larger databases and a larger task of train)."
  type        = string
  default     = "standard"

  validation {
    condition     = contains(["small", "standard", "large"], var.profile)
    error_message = "profile must be small, standard or large."
  }
}

variable "standby" {
  description = "Give each database a standby in a second zone. null: the profile's; that of standard is protect."
  type        = bool
  default     = null
}

variable "region_in_names" {
  description = "Make the region a part of every name. Roles are global, so an environment of the same name in a second region needs it. It cannot be changed later: names are what resources are found by."
  type        = bool
  default     = false
}

variable "budget_usd" {
  description = "US dollars that the environment may cost in a month. alarm_emails are told at 80 % of it, when a forecast exceeds it, and of unusual costs. AWS counts by the tag Environment, which must be a cost allocation tag of the account. null: no budget."
  type        = number
  default     = null
}

variable "runbooks" {
  description = "Address or path of docs/runbooks.md, which the text of each alarm names."
  type        = string
  default     = "docs/runbooks.md"
}

variable "own_account_settings" {
  description = "Manage the settings that exist once per account and region: the Glue catalog is encrypted with AWS's own key of Glue and, with front, API Gateway has a role to write access logs. True in at most one environment of an account."
  type        = bool
  default     = false
}

variable "existing_source_database" {
  description = "The shop's existing MySQL, which is the usual case: host, port, database, the secret with {username, password} or a DSN, the secret's key if it is not AWS's own, and the address range that etl may reach. null creates an empty RDS MySQL."
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

variable "shop" {
  description = "The shop's name (default: that of its database), and how etl reads it: by a mapping file on this machine (mapping_path), or by a preset (auto or a system's name) with its variables. Without mapping_path and preset, etl reads kindred's own tables: kindred_interactions and its companions if they exist, else customers, products and ratings. repeat: train's rules for products that a customer has bought before."
  type = object({
    name         = optional(string)
    mapping_path = optional(string)
    preset       = optional(string)
    prefix       = optional(string)
    store        = optional(string)
    language     = optional(string)
    currency     = optional(string)
    paid         = optional(string)
    live_version = optional(string)
    repeat       = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = var.shop.mapping_path == null || var.shop.preset == null
    error_message = "shop has mapping_path or preset, not both."
  }

  validation {
    condition     = var.shop.preset != null || alltrue([for name, value in var.shop : value == null || contains(["mapping_path", "name", "repeat"], name)])
    error_message = "shop.prefix, store, language, currency, paid and live_version need shop.preset."
  }

  validation {
    condition     = var.shop.name == null || can(regex("^[A-Za-z0-9_-]{1,40}$", var.shop.name))
    error_message = "shop.name must consist of at most 40 letters, digits, _ and -."
  }
}

variable "source_instance_class" {
  description = "Instance class of the source database, if it is created here. null: the profile's."
  type        = string
  default     = null
}

variable "vector_instance_class" {
  description = "Instance class of the vector database. The embeddings should fit into its memory. null: the profile's."
  type        = string
  default     = null
}

variable "package_dir" {
  description = "Folder that `make package` filled: recommend.zip, serve.zip, the same for x86_64 (recommend-x86_64.zip, serve-x86_64.zip), glue/launcher.py, glue/etl, glue/als.py, glue/train, glue/rds-ca.pem."
  type        = string
}

variable "image_tag" {
  description = "Tag of the image of the batch programs."
  type        = string
}

variable "etl" {
  description = "Size of etl's task: CPU units, memory in MiB, scratch storage in GiB."
  type = object({
    cpu         = optional(number, 2048)
    memory_mib  = optional(number, 8192)
    storage_gib = optional(number, 50)
  })
  default = {}
}

variable "etl_workers" {
  description = "Read the shop with a Glue job of so many workers, including the driver, in place of etl's task. null: the task reads it."
  type        = number
  default     = null
}

variable "feedback" {
  description = "Size of feedback's task: CPU units, memory in MiB, scratch storage in GiB, onto which all delivered records are copied. A promotion with --duckdb sets {}. null: feedback does not run here, and the image need not hold DuckDB."
  type = object({
    cpu         = optional(number, 2048)
    memory_mib  = optional(number, 8192)
    storage_gib = optional(number, 100)
  })
  default = null
}

variable "train" {
  description = "Size of train's task: CPU units, memory in MiB, scratch storage in GiB. null: the profile's."
  type = object({
    cpu         = optional(number, 2048)
    memory_mib  = optional(number, 8192)
    storage_gib = optional(number, 30)
  })
  default = null
}

variable "spark" {
  description = "Train on Spark if, by train's own estimate, training needs more than the memory of train's task or takes longer than most_hours. With always, train everything on Spark. null creates no Spark job."
  type = object({
    most_hours = optional(number, 3)
    always     = optional(bool, false)
    size = optional(object({
      worker_type     = optional(string, "G.4X")
      workers         = optional(number, 5)
      rank            = optional(number, 64)
      trials          = optional(number, 16)
      timeout_minutes = optional(number, 600)
    }), {})
  })
  default = null
}

variable "schedule_enabled" {
  description = "Run the chain every night."
  type        = bool
  default     = true
}

variable "stream" {
  description = "Activity stream: number of shards, or on_demand mode, and hours to keep records. Without shard_count and on_demand it is the profile's."
  type = object({
    shard_count     = optional(number)
    on_demand       = optional(bool)
    retention_hours = optional(number, 24)
  })
  default = {}

  validation {
    condition     = !(coalesce(var.stream.on_demand, false) && var.stream.shard_count != null)
    error_message = "stream has shard_count or on_demand, not both."
  }
}

variable "existing_stream" {
  description = "The activity stream of another shop's environment in this account and region, which this shop shares: name, ARN, the key that encrypts it (null: Kinesis's own) and hours to keep records. null creates a stream."
  type = object({
    name            = string
    arn             = string
    kms_key_arn     = optional(string)
    retention_hours = optional(number, 24)
  })
  default = null

  validation {
    condition     = var.existing_stream == null || length(var.stream_shops) > 1
    error_message = "With existing_stream, stream_shops must name all shops that share the stream."
  }
}

variable "stream_shops" {
  description = "Names of all shops whose events are on the stream, in the same order for each of them. The first shop also has the events that name no shop of the list. Empty: the stream is this shop's alone."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.stream_shops) == 0 ? true : var.shop.name != null && contains(var.stream_shops, var.shop.name) && length(distinct(var.stream_shops)) == length(var.stream_shops)
    error_message = "stream_shops must contain shop.name, and each shop once."
  }

  validation {
    condition     = alltrue([for name in var.stream_shops : can(regex("^[A-Za-z0-9_-]{1,40}$", name))])
    error_message = "The names in stream_shops must consist of at most 40 letters, digits, _ and -."
  }
}

variable "mapping" {
  description = "Limits of the mapping from the stream to the function. maximum_retry_attempts -1 means that only the record's age ends the retries."
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
  description = "Largest number of instances of each function at once, which also limits the vector database's connections. null: as many as the instance class has connections for, at most 100. -1 reserves none: a new account may run only 10 instances, and AWS does not let it reserve any of them."
  type        = number
  default     = null

  validation {
    condition     = var.function_concurrency == null ? true : var.function_concurrency == -1 || var.function_concurrency >= 1 && floor(var.function_concurrency) == var.function_concurrency
    error_message = "function_concurrency must be null, -1, or a whole number of at least 1: with 0 the functions would never run."
  }
}

variable "function_architecture" {
  description = "Processors of the functions: arm64, or x86_64, which has vector instructions to compare a large catalogue in memory."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.function_architecture)
    error_message = "function_architecture must be arm64 or x86_64."
  }
}

variable "memory_share" {
  description = "Share of its memory, from 0 to 0.6, that each function may fill with the products of the live version and the canary. With 0 the vector database answers everything."
  type        = number
  default     = 0.5
}

variable "catalogue_minutes" {
  description = "Minutes from one `publish catalogue` to the next, which brings stock, prices and new products up to date during the day. 0: no schedule. It cannot be used for a shop with mapping_path."
  type        = number
  default     = 0

  validation {
    condition     = var.catalogue_minutes >= 0 && var.catalogue_minutes <= 60 && floor(var.catalogue_minutes) == var.catalogue_minutes
    error_message = "catalogue_minutes must be a whole number from 0 to 60."
  }
}

variable "decide_schedule" {
  description = "When `publish experiment decide` runs, as EventBridge Scheduler has it, in UTC, at least once a day; null: never. It reads the outcomes that `feedback` wrote to the lake."
  type        = string
  default     = "cron(30 5 * * ? *)"
}

variable "rollup_schedule" {
  description = "When `rollup` runs, as EventBridge Scheduler has it, in UTC; null: never. The console shows what was delivered as of its last run."
  type        = string
  default     = "cron(10 * * * ? *)"
}

variable "erase" {
  description = "Size of the task of erase: CPU units (1024 is one vCPU), memory in MiB, scratch storage in GiB. Eight objects are in memory at once."
  type        = object({ cpu = optional(number, 1024), memory_mib = optional(number, 8192), storage_gib = optional(number, 21) })
  default     = {}
}

variable "erase_schedule" {
  description = "When `erase` runs without a name, as EventBridge Scheduler has it, in UTC, at least once a day; null: never. It deletes what came back of erased persons, and erases whom an event told to forget."
  type        = string
  default     = "cron(0 6 * * ? *)"
}

variable "explore_share" {
  description = "Share of an answer, from 0 to 0.5, that may be new products: products that the live version does not know. An answer with n products has at most explore_share × n new ones, rounded down."
  type        = number
  default     = 0.1

  validation {
    condition     = var.explore_share >= 0 && var.explore_share <= 0.5
    error_message = "explore_share must be 0 to 0.5."
  }
}

variable "stale_age" {
  description = "While the vector database is down, serve answers from memory, for at most this long after it last read the database: a duration like 10m. 0s: it never does this."
  type        = string
  default     = "10m"

  validation {
    condition     = can(regex("^[0-9]+(s|m|h)$", var.stale_age))
    error_message = "stale_age must be a whole number with s, m or h, like 10m."
  }
}

variable "reader_user" {
  description = "PostgreSQL role as which serve logs in. It has rds_iam. It may read, and count requests that the canary could not answer."
  type        = string
  default     = "recommend"
}

variable "writer_user" {
  description = "PostgreSQL role as which recommend logs in. It has rds_iam, reads, and writes purchases and the state of products, customers and sessions. A promotion runs `publish migrate`, which creates the role. Until then recommend's events wait."
  type        = string
  default     = "recommend_writer"
}

variable "serve_callers" {
  description = "Principals (ARNs) that may call serve's function URL."
  type        = set(string)
  default     = []
}

variable "serve_events" {
  description = "Whether serve takes events over HTTP (POST /events). Then the network gets an endpoint of Kinesis, which has a price per hour."
  type        = bool
  default     = false
}

variable "site_keys" {
  description = "JSON of the keys that callers of serve need, as docs/formats.md describes it. null: they need none. The function URL is for signed requests of serve_callers in any case; pages call the front."
  type        = string
  default     = null
}

variable "front" {
  description = "What the internet may call: a REST API before serve, with a limit for all callers together and, by AWS WAF, one for each address within five minutes. It needs site_keys. null: only signed requests of serve_callers reach serve. {} sets the defaults. API Gateway writes the access log only if one environment of the account has own_account_settings."
  type = object({
    requests_per_second  = optional(number, 50)
    burst                = optional(number, 100)
    requests_per_address = optional(number, 2000)
  })
  default = null

  validation {
    condition     = var.front == null || var.site_keys != null
    error_message = "front needs site_keys: without keys, everybody could ask for everything."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the environment's roles may be allowed, if the organisation demands one. null: none."
  type        = string
  default     = null
}

variable "ci" {
  description = "Let continuous integration run promotions without a key: the OIDC provider (its ARN, or create, with its url), the subjects of the tokens that it signs, such as repo:org/shop:environment:prod, their audience, and the bucket of Terraform's states. It needs permissions_boundary. null creates no role."
  type = object({
    provider     = string
    url          = optional(string, "https://token.actions.githubusercontent.com")
    subjects     = set(string)
    audience     = optional(string, "sts.amazonaws.com")
    state_bucket = string
  })
  default = null

  validation {
    condition     = var.ci == null || var.permissions_boundary != null
    error_message = "ci needs permissions_boundary: a promotion makes roles, and only the boundary limits what it may give them."
  }
}

variable "operators" {
  description = "Principals (ARNs) that may assume the role of `verify` and `verify redrive`. An empty set creates no role."
  type        = set(string)
  default     = []
}

variable "tunnel" {
  description = "Let operators reach the vector database from their own machine (make tunnel), and the hours after which a tunnel closes by itself. It needs operators. null: nobody reaches it from outside."
  type        = object({ hours = optional(number, 8) })
  default     = null

  validation {
    condition     = var.tunnel == null || length(var.operators) > 0
    error_message = "tunnel needs operators: the principals that may open it."
  }
}

variable "recommendations_expire_days" {
  description = "Days to keep recommendations, the quarantine and failed batches."
  type        = number
  default     = 365
}

variable "model_age_days" {
  description = "Days without a successful chain after which an alarm is raised, 1 to 7."
  type        = number
  default     = 3
}

variable "alarm_emails" {
  description = "E-mail addresses that receive the alarms."
  type        = set(string)
  default     = []
}
