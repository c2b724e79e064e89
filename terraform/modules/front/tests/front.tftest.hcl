mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name     = "kindred-test-front"
  region   = "eu-west-1"
  function = { name = "kindred-test-serve", alias = "live", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:kindred-test-serve:live" }
}

run "calls_the_alias" {
  assert {
    condition     = aws_api_gateway_integration.function.uri == "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:kindred-test-serve:live/invocations"
    error_message = "the API must call the alias, so that a release can be rolled back"
  }

  assert {
    condition     = aws_lambda_permission.api.principal == "apigateway.amazonaws.com" && aws_lambda_permission.api.qualifier == "live" && endswith(aws_lambda_permission.api.source_arn, "/v1/*/*")
    error_message = "only this API may call the alias"
  }
}

run "limits_callers" {
  variables {
    requests_per_second  = 20
    burst                = 40
    requests_per_address = 500
  }

  assert {
    condition     = [for s in aws_api_gateway_method_settings.all.settings : [s.throttling_rate_limit, s.throttling_burst_limit]] == [[20, 40]] && aws_api_gateway_method_settings.all.method_path == "*/*"
    error_message = "the stage must limit all callers together"
  }

  assert {
    condition     = one(one([for r in aws_wafv2_web_acl.this.rule : r.statement])[0].rate_based_statement[*].limit) == 500
    error_message = "the web ACL must limit each address"
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this.resource_arn == aws_api_gateway_stage.this.arn
    error_message = "the web ACL must stand before the stage"
  }
}

run "logs_no_visitor" {
  assert {
    condition     = alltrue([for field in ["path", "sourceIp", "userAgent", "query"] : !strcontains(one(aws_api_gateway_stage.this.access_log_settings).format, field)])
    error_message = "paths and addresses name visitors"
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.all.settings).logging_level == "OFF" && !one(aws_wafv2_web_acl.this.visibility_config).sampled_requests_enabled
    error_message = "execution logs and samples name visitors"
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 0
    error_message = "the account's settings are changed only if told to"
  }
}

run "sets_the_accounts_role_if_told_to" {
  variables {
    account_settings = true
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 1
    error_message = "API Gateway needs the role to write access logs"
  }
}

run "refuses_limits_of_nothing" {
  command = plan

  variables {
    requests_per_second  = 0
    burst                = 6000
    requests_per_address = 5
  }

  expect_failures = [var.requests_per_second, var.burst, var.requests_per_address]
}
