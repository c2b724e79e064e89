# What the internet may call: a REST API of API Gateway before the function serve. A web ACL of AWS WAF limits each
# address, the stage limits all callers together. Who may ask for what is decided by the function, by its keys.
# Decision 0077 gives the reasons.

data "aws_partition" "current" {}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  # Nothing of it names a visitor: paths and addresses would.
  access_log = jsonencode({
    request_id   = "$context.requestId"
    time         = "$context.requestTime"
    method       = "$context.httpMethod"
    status       = "$context.status"
    bytes        = "$context.responseLength"
    milliseconds = "$context.responseLatency"
    function_ms  = "$context.integrationLatency"
    error        = "$context.error.responseType"
    waf          = "$context.waf.status"
  })
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = "Recommendations for the shop's pages"

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_resource" "all" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "{proxy+}"
}

resource "aws_api_gateway_method" "all" {
  # checkov:skip=CKV_AWS_59:A shop's visitors have no login. The function asks for a key of SITE_KEYS, which this module requires.
  # checkov:skip=CKV2_AWS_53:The function checks each request, and answers with a problem that names the fault.
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.all.id
  http_method   = "ANY"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "function" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.all.id
  http_method             = aws_api_gateway_method.all.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = "${local.arn_prefix}:apigateway:${var.region}:lambda:path/2015-03-31/functions/${var.function.alias_arn}/invocations"
  timeout_milliseconds    = 10000
}

# A deployment is a copy of the API. It is made anew when something of the API changes.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers = {
    api = sha256(jsonencode([
      aws_api_gateway_resource.all.path_part, aws_api_gateway_method.all.http_method, aws_api_gateway_method.all.authorization,
      aws_api_gateway_integration.function.type, aws_api_gateway_integration.function.uri,
      aws_api_gateway_integration.function.timeout_milliseconds,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  # checkov:skip=CKV_AWS_120:Answers must not be stored: they change with the next click.
  # checkov:skip=CKV2_AWS_77:The rule is about log4j, and the function is a Go program.
  # checkov:skip=CKV2_AWS_51:Callers are visitors' browsers, which have no certificate.
  # checkov:skip=CKV2_AWS_4:The execution log would contain paths and bodies, and so visitors. The access log contains neither.
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = "v1"
  xray_tracing_enabled = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = local.access_log
  }

  depends_on = [aws_api_gateway_account.this]
}

resource "aws_api_gateway_method_settings" "all" {
  # checkov:skip=CKV_AWS_225:Answers must not be stored: they change with the next click.
  # checkov:skip=CKV_AWS_308:There is no cache.
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "OFF"
    data_trace_enabled     = false
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = var.burst
  }
}

# The API may call the alias, and only by this API's stage.
resource "aws_lambda_permission" "api" {
  action        = "lambda:InvokeFunction"
  function_name = var.function.name
  qualifier     = var.function.alias
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/${aws_api_gateway_stage.this.stage_name}/*/*"
}

resource "aws_wafv2_web_acl" "this" {
  # checkov:skip=CKV_AWS_192:The rule is about log4j, and the function is a Go program.
  # checkov:skip=CKV2_AWS_31:The log would contain addresses and paths, and so visitors. The metrics say how many requests were blocked.
  name        = var.name
  description = "Requests of one address to kindred"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  custom_response_body {
    key          = "too-many-requests"
    content_type = "APPLICATION_JSON"
    content      = jsonencode({ title = "Too Many Requests", status = 429, detail = "too many requests from this address; try again later" })
  }

  rule {
    name     = "address"
    priority = 0

    action {
      block {
        custom_response {
          response_code            = 429
          custom_response_body_key = "too-many-requests"

          response_header {
            name  = "Retry-After"
            value = "60"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        aggregate_key_type    = "IP"
        evaluation_window_sec = 300
        limit                 = var.requests_per_address
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.name}-address"
      sampled_requests_enabled   = false
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = aws_api_gateway_stage.this.arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

# API Gateway writes the access logs of all APIs of an account and region as one role.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "logs" {
  # checkov:skip=CKV_AWS_356:API Gateway creates and describes log groups of any name (API Gateway developer guide, set up logging).
  # checkov:skip=CKV_AWS_111:See CKV_AWS_356.
  # checkov:skip=CKV_AWS_108:See CKV_AWS_356.
  statement {
    sid = "Logs"
    actions = [
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
      "logs:PutLogEvents", "logs:GetLogEvents", "logs:FilterLogEvents",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role" "logs" {
  count = var.account_settings ? 1 : 0

  name                 = "${var.name}-logs"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "logs" {
  count = var.account_settings ? 1 : 0

  name   = "kindred"
  role   = aws_iam_role.logs[0].id
  policy = data.aws_iam_policy_document.logs.json
}

resource "aws_api_gateway_account" "this" {
  count = var.account_settings ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.logs[0].arn

  depends_on = [aws_iam_role_policy.logs]
}
