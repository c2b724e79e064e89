# The program serve: the same answers as recommend over HTTP. Only signed requests of the named
# callers reach its function URL.

module "function" {
  source = "../function"

  name                 = var.function.name
  role_name            = var.function.role_name
  description          = "Recommendations over HTTP"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  package_path         = var.function.package_path
  runtime              = var.function.runtime
  handler              = var.function.handler
  architecture         = var.function.architecture
  memory_mib           = var.function.memory_mib
  timeout_seconds      = var.function.timeout_seconds
  reserved_concurrency = var.function.reserved_concurrency
  tracing              = var.function.tracing
  log_retention_days   = var.function.log_retention_days
  vector_database      = var.vector_database
  vpc                  = var.vpc
  alias                = var.alias
  environment          = var.environment
}

resource "aws_lambda_function_url" "this" {
  function_name      = module.function.name
  qualifier          = module.function.alias
  authorization_type = "AWS_IAM"
}

resource "aws_lambda_permission" "caller" {
  for_each = var.callers

  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.function.name
  qualifier              = module.function.alias
  principal              = each.key
  function_url_auth_type = "AWS_IAM"
}
