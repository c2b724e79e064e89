# Everything on AWS, in the order in which data passes through it. Each program has the module of
# its name.

locals {
  name    = join("-", compact([var.name, var.environment, var.region_in_names ? var.region : ""]))
  buckets = "${local.name}-${var.account_id}" # bucket names must be unique among all accounts

  # How long exports for Spark stay (envconfig.FitsDays) is written once, for the local stack too.
  fits = jsondecode(file("${path.module}/../../localstack/settings/settings.json")).buckets.artifacts.expire

  zip_suffix = var.function_architecture == "arm64" ? "" : "-${var.function_architecture}" # terraform/tf/promotion/pack.go

  # What an environment costs when nobody uses it, and what it gives up for that (docs/deploy.md). Each
  # value has a variable that wins.
  profile = {
    small = {
      source_class = "db.t4g.micro", vector_class = "db.t4g.micro", shard_count = 1, standby = false
      public_tasks = true, endpoint_zones = 1, dashboard = false
      train        = { cpu = 2048, memory_mib = 8192, storage_gib = 30 }
    }
    standard = {
      source_class = "db.t4g.micro", vector_class = "db.t4g.micro", shard_count = null, standby = var.protect
      public_tasks = false, endpoint_zones = length(var.zones), dashboard = true
      train        = { cpu = 2048, memory_mib = 8192, storage_gib = 30 }
    }
    large = {
      source_class = "db.m8g.large", vector_class = "db.r8g.large", shard_count = null, standby = true
      public_tasks = false, endpoint_zones = length(var.zones), dashboard = true
      train        = { cpu = 8192, memory_mib = 61440, storage_gib = 100 }
    }
  }[var.profile]
  source_class = coalesce(var.source_instance_class, local.profile.source_class)
  vector_class = coalesce(var.vector_instance_class, local.profile.vector_class)
  standby      = var.standby == null ? local.profile.standby : var.standby
  on_glue      = var.etl_workers != null

  source_database = var.existing_source_database != null ? var.existing_source_database : merge(module.source_database[0].database, { secret_kms_key_arn = null })
  vector_database = module.vector_database.database

  # TLS with RDS's own certificate authorities, which the image and the zips contain under different
  # paths. No password.
  vector_dsn = { for place, path in { image = "/rds-ca.pem", function = "/var/task/rds-ca.pem" } :
  place => "postgres://%s${local.vector_database.host}:${local.vector_database.port}/${local.vector_database.name}?sslmode=verify-full&sslrootcert=${path}" }

  # Versions of recommend before it wrote state log in as the reader: the alias may go back to one.
  functions_database = { for program, users in { recommend = [var.writer_user, var.reader_user], serve = [var.reader_user] } : program => {
    dsn = "${format(local.vector_dsn["function"], "${users[0]}@")}&pool_max_conns=1"
    iam = { resource_id = local.vector_database.resource_id, user = users[0], former_users = slice(users, 1, length(users)) }
  } }

  # The functions answer for this shop only.
  functions_environment = merge({ EXPLORE_SHARE = tostring(var.explore_share) }, var.shop.name == null ? {} : { SHOP_NAME = var.shop.name })
  shared_stream         = length(var.stream_shops) == 0 ? {} : { ACTIVITY_STREAM_SHOPS = join(",", var.stream_shops) }

  # Each process of the functions keeps one connection, and at a release two versions of each of the two
  # functions are connected. PostgreSQL accepts about 75 connections for each GiB of its class, of which
  # the tasks, RDS and a person keep 11.
  memory_gib           = { for place, class in { source = local.source_class, vectors = local.vector_class } : place => lookup({ micro = 1, small = 2, medium = 4, large = 8, xlarge = 16, "2xlarge" = 32, "4xlarge" = 64 }, reverse(split(".", class))[0], 64) }
  function_concurrency = coalesce(var.function_concurrency, min(100, floor((75 * local.memory_gib["vectors"] - 11) / 4)))

  stream_key_arns = concat([module.kms.key_arn], compact([try(var.existing_stream.kms_key_arn, null)]))

  functions_vpc = { for program in ["recommend", "serve"] : program => {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [module.network.security_group_ids.programs[program]]
  } }

  # The databases that each program logs in to.
  programs = merge({
    etl       = { databases = ["source_db"] }
    train     = {}
    publish   = { databases = var.catalogue_minutes == 0 ? ["vector_db"] : ["source_db", "vector_db"] }
    rollup    = {}
    erase     = { databases = ["vector_db"] }
    recommend = { databases = ["vector_db"], task = false }
    serve     = { databases = ["vector_db"], task = false }
  }, var.feedback == null ? {} : { feedback = {} }, var.tunnel == null ? {} : { tunnel = { databases = ["vector_db"] } })
}

module "kms" {
  source = "../modules/kms"

  name                    = local.name
  region                  = var.region
  deletion_window_in_days = var.protect ? 30 : 7
}

module "network" {
  source = "../modules/network"

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  account_id           = var.account_id
  cidr_block           = var.cidr_block
  availability_zones   = [for z in var.zones : "${var.region}${z}"]
  kms_key_arn          = module.kms.key_arn
  programs             = local.programs
  put_events           = var.serve_events
  glue                 = local.on_glue
  sessions             = var.tunnel != null
  public_tasks         = local.profile.public_tasks
  endpoint_zones       = local.profile.endpoint_zones
  external_source      = var.existing_source_database == null ? null : { cidr = var.existing_source_database.cidr, port = var.existing_source_database.port }
}

module "lake" {
  source = "../modules/lake"

  buckets = {
    lake            = { name = "${local.buckets}-lake" }
    artifacts       = { name = "${local.buckets}-artifacts", expire_days = local.fits.days, expire_prefix = local.fits.prefix }
    recommendations = { name = "${local.buckets}-recommendations", expire_days = var.recommendations_expire_days }
    code            = { name = "${local.buckets}-code" }
  }
  access_log_bucket = "${local.buckets}-access-logs"
  kms_key_arn       = module.kms.key_arn
  force_destroy     = !var.protect
}

module "source_database" {
  source = "../modules/database"
  count  = var.existing_source_database == null ? 1 : 0

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-source"
  engine               = "mysql"
  database             = "shop"
  subnet_ids           = module.network.private_subnet_ids
  security_group_id    = module.network.security_group_ids["source_db"]
  kms_key_arn          = module.kms.key_arn
  instance_class       = local.source_class
  deletion_protection  = var.protect
  multi_az             = local.standby
}

module "vector_database" {
  source = "../modules/database"

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-vectors"
  engine               = "postgres"
  database             = "kindred"
  subnet_ids           = module.network.private_subnet_ids
  security_group_id    = module.network.security_group_ids["vector_db"]
  kms_key_arn          = module.kms.key_arn
  instance_class       = local.vector_class
  deletion_protection  = var.protect
  multi_az             = local.standby
}

module "etl" {
  source = "../modules/etl"

  permissions_boundary   = var.permissions_boundary
  name                   = local.name
  region                 = var.region
  kms_key_arn            = module.kms.key_arn
  lake_bucket            = module.lake.buckets["lake"]
  recommendations_bucket = module.lake.buckets["recommendations"]
  code_bucket            = module.lake.buckets["code"]
  source_database        = local.source_database
  shop                   = { for name, value in var.shop : name => value if name != "repeat" }
  erase_secret_arn       = module.erase.secret_arn
  encrypt_catalog        = var.own_account_settings
  task                   = local.on_glue ? null : { image = module.batch.image, execution_role_arn = module.batch.execution_role_arn, size = var.etl }
}

module "glue" {
  source = "../modules/glue"
  count  = local.on_glue ? 1 : 0

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  lake_bucket          = module.lake.buckets["lake"]
  code_bucket          = module.lake.buckets["code"]
  source_database      = local.source_database
  erase_secret_arn     = module.erase.secret_arn
  subnet               = module.network.first_subnet
  security_group_id    = module.network.security_group_ids.programs["etl"]
  launcher_path        = "${var.package_dir}/glue/launcher.py"
  program_path         = "${var.package_dir}/glue/etl"
  ca_path              = "${var.package_dir}/glue/rds-ca.pem"
  shop                 = { for name, value in var.shop : name => value if name != "repeat" }
  workers              = var.etl_workers
}

module "batch" {
  source = "../modules/batch"

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  programs             = concat(local.on_glue ? [] : ["etl"], var.feedback == null ? [] : ["feedback"], ["train", "publish", "rollup", "erase"])
  image_tag            = var.image_tag
  vector_secret_arn    = local.vector_database.secret_arn
  force_delete         = !var.protect
}

module "train" {
  source = "../modules/train"

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  image                = module.batch.image
  execution_role_arn   = module.batch.execution_role_arn
  lake_bucket          = module.lake.buckets["lake"]
  artifacts_bucket     = module.lake.buckets["artifacts"]
  repeat               = var.shop.repeat
  size                 = coalesce(var.train, local.profile.train)
}

module "feedback" {
  source = "../modules/feedback"
  count  = var.feedback == null ? 0 : 1

  permissions_boundary   = var.permissions_boundary
  name                   = local.name
  region                 = var.region
  kms_key_arn            = module.kms.key_arn
  image                  = module.batch.image
  execution_role_arn     = module.batch.execution_role_arn
  recommendations_bucket = module.lake.buckets["recommendations"]
  lake_bucket            = module.lake.buckets["lake"]
  erase_secret_arn       = module.erase.secret_arn
  shop_name              = var.shop.name
  size                   = var.feedback
}

module "spark" {
  source = "../modules/spark"
  count  = var.spark == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  lake_bucket          = module.lake.buckets["lake"]
  artifacts_bucket     = module.lake.buckets["artifacts"]
  code_bucket          = module.lake.buckets["code"]
  launcher_path        = "${var.package_dir}/glue/als.py"
  program_path         = "${var.package_dir}/glue/train"
  repeat               = var.shop.repeat
  size                 = var.spark.size
}

module "publish" {
  source = "../modules/publish"

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  image                = module.batch.image
  execution_role_arn   = module.batch.execution_role_arn
  lake_bucket          = module.lake.buckets["lake"]
  artifacts_bucket     = module.lake.buckets["artifacts"]

  vector_database = {
    dsn        = format(local.vector_dsn["image"], "")
    username   = local.vector_database.username
    secret_arn = local.vector_database.secret_arn
    reader     = var.reader_user
    writer     = var.writer_user
  }

  source_database = var.catalogue_minutes == 0 ? null : local.source_database
  shop            = { for name, value in var.shop : name => value if name != "repeat" }
}

module "catalogue" {
  source = "../modules/schedule"
  count  = var.catalogue_minutes == 0 ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-catalogue"
  kms_key_arn          = module.kms.key_arn
  expression           = "rate(${var.catalogue_minutes} ${var.catalogue_minutes == 1 ? "minute" : "minutes"})"
  command              = ["catalogue"]
  latest_seconds       = 60
  result               = "$.result.read_at = \"*\"" # docs/formats.md, result of a program
  task                 = module.publish.task
  log_group_name       = module.publish.log_group_name
  cluster              = module.batch.cluster
  execution_role_arn   = module.batch.execution_role_arn
  subnet_ids           = module.network.task_subnet_ids
  public               = local.profile.public_tasks
  security_group_id    = module.network.security_group_ids.programs["publish"]
}

# Ends the running experiment as soon as its outcomes decide. Without an experiment it does nothing.
module "decide" {
  source = "../modules/schedule"
  count  = var.decide_schedule == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-decide"
  kms_key_arn          = module.kms.key_arn
  expression           = var.decide_schedule
  command              = ["experiment", "decide", "--actor", "schedule"]
  latest_seconds       = 3600
  result               = "($.result.ended IS TRUE) || ($.result.ended IS FALSE)"
  task                 = module.publish.task
  log_group_name       = module.publish.log_group_name
  cluster              = module.batch.cluster
  execution_role_arn   = module.batch.execution_role_arn
  subnet_ids           = module.network.task_subnet_ids
  public               = local.profile.public_tasks
  security_group_id    = module.network.security_group_ids.programs["publish"]
}

module "rollup" {
  source = "../modules/rollup"

  permissions_boundary   = var.permissions_boundary
  name                   = local.name
  region                 = var.region
  kms_key_arn            = module.kms.key_arn
  image                  = module.batch.image
  execution_role_arn     = module.batch.execution_role_arn
  lake_bucket            = module.lake.buckets["lake"]
  recommendations_bucket = module.lake.buckets["recommendations"]
}

module "hourly_rollup" {
  source = "../modules/schedule"
  count  = var.rollup_schedule == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-rollup"
  kms_key_arn          = module.kms.key_arn
  program              = "rollup"
  expression           = var.rollup_schedule
  command              = []
  latest_seconds       = 600
  result               = "$.result.as_of = \"*\""
  task                 = module.rollup.task
  log_group_name       = module.rollup.log_group_name
  cluster              = module.batch.cluster
  execution_role_arn   = module.batch.execution_role_arn
  subnet_ids           = module.network.task_subnet_ids
  public               = local.profile.public_tasks
  security_group_id    = module.network.security_group_ids.programs["rollup"]
}

module "erase" {
  source = "../modules/erase"

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  image                = module.batch.image
  execution_role_arn   = module.batch.execution_role_arn
  buckets              = { for name in ["artifacts", "lake", "recommendations"] : name => module.lake.buckets[name] }
  vector_database      = { dsn = format(local.vector_dsn["image"], ""), username = local.vector_database.username, secret_arn = local.vector_database.secret_arn }
  size                 = var.erase
  protect              = var.protect

  kept_elsewhere_hours = merge(
    { "events on the stream" = var.stream.retention_hours, "backups of the vector database" = 24 * module.vector_database.backup_days,
    "logs" = 24 * module.vector_database.log_days },
    { for name, db in module.source_database : "backups of the shop's database" => 24 * db.backup_days },
  )
}

# Whoever was erased stays out, and whom an event told to forget is erased.
module "nightly_erase" {
  source = "../modules/schedule"
  count  = var.erase_schedule == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-erase"
  kms_key_arn          = module.kms.key_arn
  program              = "erase"
  expression           = var.erase_schedule
  command              = []
  latest_seconds       = 3600
  result               = "($.result.at = \"*\") && ($.result.unknown NOT EXISTS)"
  task                 = module.erase.task
  log_group_name       = module.erase.log_group_name
  cluster              = module.batch.cluster
  execution_role_arn   = module.batch.execution_role_arn
  subnet_ids           = module.network.task_subnet_ids
  public               = local.profile.public_tasks
  security_group_id    = module.network.security_group_ids.programs["erase"]
}

module "chain" {
  source = "../modules/chain"

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  etl_job              = one(module.glue[*].job)
  tasks                = { etl = module.etl.task, feedback = one(module.feedback[*].task), train = module.train.task, publish = module.publish.task }
  spark                = { job = one(module.spark[*].job), most_hours = try(var.spark.most_hours, null), always = try(var.spark.always, null) }
  cluster              = module.batch.cluster
  execution_role_arn   = module.batch.execution_role_arn
  subnet_ids           = module.network.task_subnet_ids
  public               = local.profile.public_tasks
  security_group_ids   = module.network.security_group_ids.programs
  failure_topic_arn    = module.observability.alarm_topic_arn
  schedule_enabled     = var.schedule_enabled
}

module "stream" {
  source = "../modules/stream"

  permissions_boundary   = var.permissions_boundary
  kms_key_arn            = module.kms.key_arn
  recommendations_bucket = module.lake.buckets["recommendations"]
  stream                 = merge(var.stream, { name = "${local.name}-activity", shard_count = var.stream.on_demand == null ? try(coalesce(var.stream.shard_count, local.profile.shard_count), null) : var.stream.on_demand ? null : coalesce(var.stream.shard_count, 1) })
  existing_stream        = var.existing_stream
  delivery               = { name = "${local.name}-recommendations", role_name = "${local.name}-firehose" }
}

module "recommend" {
  source = "../modules/recommend"

  permissions_boundary   = var.permissions_boundary
  region                 = var.region
  kms_key_arn            = module.kms.key_arn
  stream                 = module.stream.stream
  delivery_stream        = module.stream.delivery_stream
  recommendations_bucket = module.lake.buckets["recommendations"]
  artifacts_bucket       = module.lake.buckets["artifacts"]
  memory_share           = var.memory_share
  vector_database        = local.functions_database["recommend"]
  vpc                    = local.functions_vpc["recommend"]
  alias                  = "live"
  function               = { name = "${local.name}-recommend", package_path = "${var.package_dir}/recommend${local.zip_suffix}.zip", architecture = var.function_architecture, reserved_concurrency = local.function_concurrency }
  mapping                = var.mapping
  environment            = merge(local.functions_environment, local.shared_stream)
}

module "serve" {
  source = "../modules/serve"

  permissions_boundary = var.permissions_boundary
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  artifacts_bucket     = module.lake.buckets["artifacts"]
  memory_share         = var.memory_share
  delivery_stream      = module.stream.delivery_stream
  stream               = var.serve_events ? module.stream.stream : null
  site_keys            = var.site_keys
  vector_database      = local.functions_database["serve"]
  vpc                  = local.functions_vpc["serve"]
  alias                = "live"
  function             = { name = "${local.name}-serve", package_path = "${var.package_dir}/serve${local.zip_suffix}.zip", architecture = var.function_architecture, reserved_concurrency = local.function_concurrency }
  callers              = var.serve_callers
  environment          = merge(local.functions_environment, { STALE_AGE = var.stale_age })
}

module "front" {
  source = "../modules/front"
  count  = var.front == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-front"
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  function             = module.serve.target
  requests_per_second  = var.front.requests_per_second
  burst                = var.front.burst
  requests_per_address = var.front.requests_per_address
  account_settings     = var.own_account_settings
}

module "verify" {
  source = "../modules/verify"
  count  = length(var.operators) == 0 ? 0 : 1

  permissions_boundary       = var.permissions_boundary
  name                       = "${local.name}-verify"
  kms_key_arns               = local.stream_key_arns
  stream_arn                 = module.stream.stream.arn
  recommendations_bucket_arn = module.lake.buckets["recommendations"].arn
  lake_bucket_arn            = module.lake.buckets["lake"].arn
  erase_secret_arn           = module.erase.secret_arn
  operators                  = var.operators
}

module "tunnel" {
  source = "../modules/tunnel"
  count  = var.tunnel == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = local.name
  region               = var.region
  account_id           = var.account_id
  kms_key_arn          = module.kms.key_arn
  image                = module.batch.image
  repository_arn       = module.batch.repository_arn
  operators            = var.operators
  hours                = var.tunnel.hours

  target = {
    cluster        = module.batch.cluster
    subnets        = module.network.task_subnet_ids
    security_group = module.network.security_group_ids.programs["tunnel"]
    public         = local.profile.public_tasks
  }

  database = {
    host        = local.vector_database.host
    port        = local.vector_database.port
    name        = local.vector_database.name
    resource_id = local.vector_database.resource_id
    user        = var.reader_user
  }

  buckets = { for name in ["artifacts", "lake", "recommendations"] : name => module.lake.buckets[name] }
  stream  = { name = module.stream.stream.name, arn = module.stream.stream.arn, key_arns = local.stream_key_arns }
}

module "ci" {
  source = "../modules/ci"
  count  = var.ci == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = "${local.name}-ci"
  environment          = local.name
  region               = var.region
  account_id           = var.account_id
  identity_provider    = var.ci.provider
  url                  = var.ci.url
  subjects             = var.ci.subjects
  audience             = var.ci.audience
  state                = { bucket = var.ci.state_bucket, key = "${var.environment}.tfstate" }
  buckets              = local.buckets
  kms_key_arn          = module.kms.key_arn
  other_keys           = try(var.existing_stream.kms_key_arn, null) == null ? {} : { stream = var.existing_stream.kms_key_arn }
}

module "observability" {
  source = "../modules/observability"

  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  function_name        = module.recommend.function.name
  serve_function_name  = module.serve.function.name
  stream_name          = module.stream.stream.name
  delivery_stream_name = module.stream.delivery_stream.name
  databases = merge(
    { vectors = { identifier = local.vector_database.identifier, instance_class = local.vector_class, most_connections = 75 * local.memory_gib["vectors"] } },
    { for db in module.source_database : "source" => { identifier = db.database.identifier, instance_class = local.source_class, most_connections = 75 * local.memory_gib["source"] } },
  )
  refused        = module.publish.refused
  dashboard      = local.profile.dashboard
  runbooks       = var.runbooks
  chain          = module.chain.chain
  catalogue      = var.catalogue_minutes == 0 ? null : merge(module.catalogue[0].metric, { minutes = var.catalogue_minutes })
  decide         = one(module.decide[*].metric)
  erase          = one(module.nightly_erase[*].metric)
  rollup         = one(module.hourly_rollup[*].metric)
  jobs           = { cluster = module.batch.cluster.name, families = [for program in concat(local.on_glue ? [] : ["etl"], var.feedback == null ? [] : ["feedback"], ["train", "publish", "rollup", "erase"]) : "${local.name}-${program}"] }
  arm_functions  = { recommend = module.recommend.function.name, serve = module.serve.function.name }
  model_age_days = var.model_age_days
  alarm_emails   = var.alarm_emails
}

module "budget" {
  source = "../modules/budget"
  count  = var.budget_usd == null ? 0 : 1

  name        = local.name
  environment = var.environment
  usd         = var.budget_usd
  emails      = var.alarm_emails
}
