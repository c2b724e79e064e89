# The streaming half in LocalStack, from the settings that the Go provisioner reads too. Whichever
# of the two runs second finds nothing to change. This root contains no resources of its own, only
# modules. checkov checks all of them through terraform/aws, except login.

locals {
  settings = jsondecode(file("${path.module}/../../localstack/settings/settings.json"))
  suffix   = var.suffix == "" ? "" : "-${var.suffix}"
  name     = "kindred${local.suffix}"

  functions = { for program, f in local.settings.functions : program => merge(f, {
    name         = "${f.name}${local.suffix}"
    role_name    = "${f.role_name}${local.suffix}"
    package_path = var.function_zips[program]
    architecture = f.architecture == "host" ? var.host_architecture : f.architecture

    # LocalStack does not limit concurrency and has no X-Ray.
    reserved_concurrency = -1
    tracing              = "PassThrough"
  }) }
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

module "stream" {
  source = "../modules/stream"

  recommendations_bucket = module.lake.buckets["recommendations"]
  stream                 = merge(local.settings.stream, { name = "${local.settings.stream.name}${local.suffix}" })

  # LocalStack does not support StartDeliveryStreamEncryption. It does not expand !{…} expressions
  # and ignores compression.
  delivery = merge(local.settings.delivery_stream, {
    name           = "${local.settings.delivery_stream.name}${local.suffix}"
    role_name      = "${local.settings.delivery_stream.role_name}${local.suffix}"
    file_extension = ""
    encrypt_input  = false
    log_errors     = false
  })
}

module "recommend" {
  source = "../modules/recommend"

  region                 = local.settings.region
  stream                 = module.stream.stream
  delivery_stream        = module.stream.delivery_stream
  recommendations_bucket = module.lake.buckets["recommendations"]
  artifacts_bucket       = module.lake.buckets["artifacts"]
  vector_database        = { dsn = var.pgvector_writer_dsn }
  environment            = { AWS_ENDPOINT_URL = var.endpoint }
  function               = local.functions["recommend"]
  mapping                = local.settings.mapping
}

module "serve" {
  source = "../modules/serve"

  region           = local.settings.region
  artifacts_bucket = module.lake.buckets["artifacts"]
  delivery_stream  = module.stream.delivery_stream
  stream           = module.stream.stream
  vector_database  = { dsn = var.pgvector_dsn }
  environment      = { AWS_ENDPOINT_URL = var.endpoint }
  function         = local.functions["serve"]
}

module "observability" {
  source = "../modules/observability"

  name                 = local.name
  region               = local.settings.region
  kms_key_arn          = module.kms.key_arn
  function_name        = module.recommend.function.name
  stream_name          = module.stream.stream.name
  delivery_stream_name = module.stream.delivery_stream.name
  composite_alarm      = false
}
