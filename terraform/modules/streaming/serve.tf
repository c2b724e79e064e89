# The function serve: the same answers over HTTP, by a function URL that only signed requests of named callers reach.

module "serve" {
  source = "../function"
  count  = var.serve == null ? 0 : 1

  name                 = coalesce(var.names.serve, "${var.name}-serve")
  role_name            = var.names.serve_role
  description          = "Recommendations over HTTP"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  package_path         = var.serve.package_path
  runtime              = var.serve.runtime
  handler              = var.serve.handler
  architecture         = var.serve.architecture
  memory_mib           = var.serve.memory_mib
  timeout_seconds      = var.serve.timeout_seconds
  reserved_concurrency = var.serve.reserved_concurrency
  tracing              = var.serve.tracing
  vector_database      = var.vector_database
  vpc                  = var.vpc
  alias                = var.alias
  log_retention_days   = var.log_retention_days
}

resource "aws_lambda_function_url" "serve" {
  count = length(module.serve)

  function_name      = module.serve[0].name
  qualifier          = module.serve[0].alias
  authorization_type = "AWS_IAM"
}

resource "aws_lambda_permission" "serve" {
  for_each = var.serve == null ? toset([]) : var.serve.callers

  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.serve[0].name
  qualifier              = module.serve[0].alias
  principal              = each.key
  function_url_auth_type = "AWS_IAM"
}
