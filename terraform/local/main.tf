# The streaming half in LocalStack 4.14, from the settings that the Go provisioner reads too: with either, the other finds
# nothing to change. It names modules only; all but the login's are checked in terraform/aws as well.

locals {
  settings     = jsondecode(file("${path.module}/../../localstack/settings/settings.json"))
  suffix       = var.suffix == "" ? "" : "-${var.suffix}"
  name         = "kindred${local.suffix}"
  delivery     = local.settings.delivery_stream
  architecture = { for name, f in local.settings.functions : name => f.architecture == "host" ? var.host_architecture : f.architecture }

  # What LocalStack lacks: it counts no environments, and has no X-Ray.
  lacking = { reserved_concurrency = -1, tracing = "PassThrough" }
}

module "kms" {
  source = "../modules/kms"

  name                    = local.name
  region                  = local.settings.region
  deletion_window_in_days = 7
}

module "shop_login" {
  source = "../modules/login"

  name        = "${local.name}-shop"
  description = "The shop's MySQL, as etl reads it: MYSQL_SECRET_ARN"
  kms_key_arn = module.kms.key_arn
  username    = var.shop_login.username
  password    = var.shop_login.password
}

module "lake" {
  source = "../modules/lake"

  buckets         = { for role, b in local.settings.buckets : role => { name = "${b.name}${local.suffix}" } }
  force_destroy   = true
  lifecycle_rules = false
}

module "streaming" {
  source = "../modules/streaming"

  name                   = local.name
  region                 = local.settings.region
  recommendations_bucket = module.lake.buckets["recommendations"]
  vector_database        = { dsn = var.pgvector_dsn }
  environment            = { AWS_ENDPOINT_URL = var.endpoint }
  log_retention_days     = local.settings.functions.recommend.log_retention_days

  names = {
    stream          = "${local.settings.stream.name}${local.suffix}"
    delivery_stream = "${local.delivery.name}${local.suffix}"
    delivery_role   = "${local.delivery.role_name}${local.suffix}"
    recommend       = "${local.settings.functions.recommend.name}${local.suffix}"
    recommend_role  = "${local.settings.functions.recommend.role_name}${local.suffix}"
    serve           = "${local.settings.functions.serve.name}${local.suffix}"
    serve_role      = "${local.settings.functions.serve.role_name}${local.suffix}"
  }

  stream = {
    shard_count     = local.settings.stream.shard_count
    retention_hours = local.settings.stream.retention_hours
  }

  recommend = merge(local.settings.functions.recommend, local.lacking, { package_path = var.function_zips.recommend, architecture = local.architecture.recommend })
  serve     = merge(local.settings.functions.serve, local.lacking, { package_path = var.function_zips.serve, architecture = local.architecture.serve })
  mapping   = local.settings.mapping

  # LocalStack has no StartDeliveryStreamEncryption, reads no !{…} expressions and ignores compression.
  delivery = {
    prefix                     = local.delivery.prefix
    error_prefix               = local.delivery.error_prefix
    buffering_size_mib         = local.delivery.buffering_size_mib
    buffering_interval_seconds = local.delivery.buffering_interval_seconds
    compression                = local.delivery.compression
    file_extension             = ""
    encrypt_input              = false
    log_errors                 = false
  }
}

module "observability" {
  source = "../modules/observability"

  name                 = local.name
  region               = local.settings.region
  kms_key_arn          = module.kms.key_arn
  function_name        = module.streaming.function.name
  stream_name          = module.streaming.stream.name
  delivery_stream_name = module.streaming.delivery_stream.name
  composite_alarm      = false
}
