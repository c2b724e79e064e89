# The streaming half in LocalStack 4.14, from the settings that the Go provisioner reads too: with either, the other finds
# nothing to change. It names modules only, so that everything in it is checked in terraform/aws as well.

locals {
  settings = jsondecode(file("${path.module}/../../localstack/settings/settings.json"))
  suffix   = var.suffix == "" ? "" : "-${var.suffix}"
  function = local.settings.functions.recommend
  delivery = local.settings.delivery_stream
  mapping  = local.settings.mapping
}

module "lake" {
  source = "../modules/lake"

  buckets         = { for role, b in local.settings.buckets : role => { name = "${b.name}${local.suffix}" } }
  force_destroy   = true
  lifecycle_rules = false
}

module "streaming" {
  source = "../modules/streaming"

  name                   = "kindred${local.suffix}"
  region                 = local.settings.region
  recommendations_bucket = module.lake.buckets["recommendations"]
  vector_database        = { dsn = var.pgvector_dsn }
  environment            = { AWS_ENDPOINT_URL = var.endpoint }
  log_retention_days     = local.function.log_retention_days

  names = {
    stream          = "${local.settings.stream.name}${local.suffix}"
    delivery_stream = "${local.delivery.name}${local.suffix}"
    delivery_role   = "${local.delivery.role_name}${local.suffix}"
    recommend       = "${local.function.name}${local.suffix}"
    recommend_role  = "${local.function.role_name}${local.suffix}"
  }

  stream = {
    shard_count     = local.settings.stream.shard_count
    retention_hours = local.settings.stream.retention_hours
  }

  recommend = {
    package_path         = var.function_zip
    runtime              = local.function.runtime
    handler              = local.function.handler
    architecture         = local.function.architecture == "host" ? var.host_architecture : local.function.architecture
    memory_mib           = local.function.memory_mib
    timeout_seconds      = local.function.timeout_seconds
    reserved_concurrency = -1            # LocalStack counts none
    tracing              = "PassThrough" # LocalStack has no X-Ray
  }

  mapping = local.mapping

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

  name                 = "kindred${local.suffix}"
  region               = local.settings.region
  function_name        = module.streaming.function.name
  stream_name          = module.streaming.stream.name
  delivery_stream_name = module.streaming.delivery_stream.name
  composite_alarm      = false
}
