# Everything on AWS, in the order of the data's way: network and key, databases, lake, etl, training, streaming, observability.

locals {
  name    = "${var.name}-${var.environment}"
  buckets = "${local.name}-${var.account_id}" # the account makes the names unique in the world

  source_database = var.existing_source_database != null ? var.existing_source_database : merge(module.source_database[0].database, { secret_kms_key_arn = null })
  vector_database = module.vector_database.database

  # TLS with RDS's own certificate authorities; each package holds the bundle at its own place. No user, no password.
  vector_dsn = { for place, path in { image = "/rds-ca.pem", function = "/var/task/rds-ca.pem" } :
  place => "postgres://%s${local.vector_database.host}:${local.vector_database.port}/${local.vector_database.name}?sslmode=verify-full&sslrootcert=${path}" }
}

module "kms" {
  source = "../modules/kms"

  name                    = local.name
  region                  = var.region
  deletion_window_in_days = var.protect ? 30 : 7
}

module "network" {
  source = "../modules/network"

  name               = local.name
  region             = var.region
  cidr_block         = var.cidr_block
  availability_zones = [for z in var.zones : "${var.region}${z}"]
  kms_key_arn        = module.kms.key_arn
  external_source    = var.existing_source_database == null ? null : { cidr = var.existing_source_database.cidr, port = var.existing_source_database.port }
}

module "lake" {
  source = "../modules/lake"

  buckets = {
    lake            = { name = "${local.buckets}-lake" }
    artifacts       = { name = "${local.buckets}-artifacts" }
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

  name                = "${local.name}-source"
  engine              = "mysql"
  database            = "shop"
  subnet_ids          = module.network.private_subnet_ids
  security_group_id   = module.network.security_group_ids["source_db"]
  kms_key_arn         = module.kms.key_arn
  instance_class      = var.source_instance_class
  deletion_protection = var.protect
  multi_az            = var.protect
}

module "vector_database" {
  source = "../modules/database"

  name                = "${local.name}-vectors"
  engine              = "postgres"
  database            = "kindred"
  subnet_ids          = module.network.private_subnet_ids
  security_group_id   = module.network.security_group_ids["vector_db"]
  kms_key_arn         = module.kms.key_arn
  instance_class      = var.vector_instance_class
  deletion_protection = var.protect
  multi_az            = var.protect
}

module "etl" {
  source = "../modules/etl"

  name                   = local.name
  region                 = var.region
  kms_key_arn            = module.kms.key_arn
  lake_bucket            = module.lake.buckets["lake"]
  recommendations_bucket = module.lake.buckets["recommendations"]
  code_bucket            = module.lake.buckets["code"]
  source_database        = local.source_database
  subnet                 = module.network.first_subnet
  security_group_id      = module.network.security_group_ids["workload"]
  launcher_path          = "${var.package_dir}/glue/launcher.py"
  program_path           = "${var.package_dir}/glue/etl"
  ca_path                = "${var.package_dir}/glue/rds-ca.pem"
  workers                = var.etl_workers
  encrypt_catalog        = var.own_account_settings
}

module "training" {
  source = "../modules/training"

  name              = local.name
  region            = var.region
  kms_key_arn       = module.kms.key_arn
  lake_bucket       = module.lake.buckets["lake"]
  artifacts_bucket  = module.lake.buckets["artifacts"]
  etl_job           = module.etl.job
  failure_topic_arn = module.observability.alarm_topic_arn
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids["workload"]
  image_tag         = var.image_tag
  train             = var.train
  schedule_enabled  = var.schedule_enabled
  force_delete      = !var.protect

  vector_database = {
    dsn        = format(local.vector_dsn["image"], "")
    username   = local.vector_database.username
    secret_arn = local.vector_database.secret_arn
    reader     = var.reader_user
  }
}

module "streaming" {
  source = "../modules/streaming"

  name                   = local.name
  region                 = var.region
  kms_key_arn            = module.kms.key_arn
  recommendations_bucket = module.lake.buckets["recommendations"]
  alias                  = "live"
  stream                 = var.stream
  mapping                = var.mapping
  recommend              = { package_path = "${var.package_dir}/recommend.zip", reserved_concurrency = var.function_concurrency }
  serve                  = { package_path = "${var.package_dir}/serve.zip", reserved_concurrency = var.function_concurrency, callers = var.serve_callers }
  operators              = var.operators

  vector_database = {
    dsn = format(local.vector_dsn["function"], "${var.reader_user}@")
    iam = { resource_id = local.vector_database.resource_id, user = var.reader_user }
  }

  vpc = {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [module.network.security_group_ids["workload"]]
  }
}

module "observability" {
  source = "../modules/observability"

  name                 = local.name
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  function_name        = module.streaming.function.name
  stream_name          = module.streaming.stream.name
  delivery_stream_name = module.streaming.delivery_stream.name
  chain                = module.training.chain
  model_age_days       = var.model_age_days
  alarm_emails         = var.alarm_emails
}
