package rules

import (
	"slices"
	"strings"
)

const (
	api            = "aws_api_gateway_rest_api"
	apiStage       = "aws_api_gateway_stage"
	apiIntegration = "aws_api_gateway_integration"
	webACL         = "aws_wafv2_web_acl"
	limits         = "rule.0.statement.0.rate_based_statement.0."
	gateway        = docs + "apigateway/latest/developerguide/"
	gatewayAPI     = docs + "apigateway/latest/api/"
	firewall       = docs + "waf/latest/"
)

// frontRules are about the REST API before serve, and the web ACL before it.
func frontRules() []Rule {
	return slices.Concat([]Rule{{
		Name: "api-permission", Source: gateway + "permissions.html#api-gateway-control-access-using-lambda-permissions",
		Says: "API Gateway calls a function only if the function's policy allows lambda:InvokeFunction to " +
			"apigateway.amazonaws.com, for the alias that the integration names",
		Do:    "add an aws_lambda_permission for the alias, with the API's execution ARN as source_arn",
		Check: apiPermissions,
	}, {
		Name: "api-caller", Source: gateway + "permissions.html#api-gateway-control-access-using-lambda-permissions",
		Says: "Without a source ARN, any API of any account may call the function", Do: "set source_arn to the stage's ARN",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of("aws_lambda_permission") {
				if x.Text("principal") != "apigateway.amazonaws.com" {
					continue
				}
				r.hold(slices.ContainsFunc(p.Of(api), func(a Resource) bool {
					return a.Text("execution_arn") == "" || strings.HasPrefix(x.Text("source_arn"), a.Text("execution_arn")+"/")
				}), x, "its source is %q, no API of the plan", x.Text("source_arn"))
			}
		},
	}, {
		Name: "api-proxy", Source: gateway + "set-up-lambda-proxy-integrations.html",
		Says: "A Lambda function is called with POST, whatever the caller's method is",
		Do:   "set integration_http_method to POST, and type to AWS_PROXY",
		Check: both(oneOf(apiIntegration, "integration_http_method", "POST"),
			oneOf(apiIntegration, "type", "AWS_PROXY")),
	}, {
		Name: "api-time", Source: gateway + "api-gateway-execution-service-limits-table.html",
		Says: "An integration has 50 to 29000 ms", Do: "correct timeout_milliseconds",
		Check: within(apiIntegration, "timeout_milliseconds", 50, 29000),
	}, {
		Name: "api-deployment", Source: gateway + "how-to-deploy-api.html",
		Says:  "A change of an API is not called before it is deployed",
		Do:    "name in triggers what the deployment is made from",
		Check: apiDeployments,
	}, {
		Name: "api-stage-name", Source: gateway + "api-gateway-known-issues.html",
		Says: "A stage's name has at most 128 letters, digits, hyphens and underscores", Do: "correct stage_name",
		Check: named(apiStage, "stage_name", `^[A-Za-z0-9_-]+$`, 128),
	}, {
		Name: "api-throttle", Source: gateway + "limits.html",
		Says: "An account has 10000 requests per second and a burst of 5000 in a region",
		Do:   "correct throttling_rate_limit or throttling_burst_limit", Check: apiThrottles,
	}}, apiLogRules(), webACLRules())
}

func apiLogRules() []Rule {
	return []Rule{{
		Name: "api-access-log", Source: gateway + "set-up-logging.html",
		Says: "An access log is written to a log group that exists, and its format has $context.requestId or " +
			"$context.extendedRequestId",
		Do: "correct access_log_settings", Check: apiAccessLogs,
	}, {
		Name: "api-log-trust", Source: gateway + "set-up-logging.html",
		Says: "apigateway.amazonaws.com must be able to assume the account's role for logs",
		Do:   "name it in the role's trust policy",
		Check: trustOf("aws_api_gateway_account", "cloudwatch_role_arn",
			"apigateway.amazonaws.com"),
	}, {
		Name: "api-log-role", Source: gateway + "set-up-logging.html",
		Says: "The account's role for logs needs logs:CreateLogGroup, CreateLogStream, DescribeLogGroups, " +
			"DescribeLogStreams, PutLogEvents, GetLogEvents and FilterLogEvents",
		Do: "allow them on *", Check: func(p *Plan, r *Report) {
			for _, x := range p.Of("aws_api_gateway_account") {
				p.need(r, x, roleName(x.Text("cloudwatch_role_arn")), "*", "logs:CreateLogGroup", "logs:CreateLogStream",
					"logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents", "logs:GetLogEvents",
					"logs:FilterLogEvents")
			}
		},
	}}
}

func webACLRules() []Rule {
	return []Rule{{
		Name: "waf-scope", Source: firewall + "APIReference/API_AssociateWebACL.html",
		Says: "A regional web ACL protects a stage of a REST API; one with the scope CLOUDFRONT does not",
		Do:   "set scope to REGIONAL", Check: oneOf(webACL, "scope", "REGIONAL"),
	}, {
		Name: "waf-association", Source: firewall + "APIReference/API_AssociateWebACL.html",
		Says: "A web ACL looks at no request before it is associated with a resource",
		Do:   "associate the stage with a web ACL", Check: webACLs,
	}, {
		Name: "waf-rate", Source: firewall + "APIReference/API_RateBasedStatement.html",
		Says: "A rate-based rule has a limit of 10 to 2,000,000,000 within 60, 120, 300 or 600 s, for each address (IP)",
		Do:   "correct the statement",
		Check: both(within(webACL, limits+"limit", 10, 2_000_000_000), oneOf(webACL, limits+"aggregate_key_type", "IP"),
			each(webACL, func(x Resource, r *Report) {
				if window, set := x.Number(limits + "evaluation_window_sec"); set {
					r.hold(slices.Contains([]float64{60, 120, 300, 600}, window), x, "its window has %v s", window)
				}
			})),
	}, {
		Name: "waf-blocks", Source: firewall + "developerguide/waf-rule-action.html",
		Says: "A rule that counts lets every request pass; a custom response names a body of the web ACL",
		Do:   "block, and define the body", Check: each(webACL, webACLBlocks),
	}, {
		Name: "waf-name", Source: firewall + "APIReference/API_CreateWebACL.html",
		Says: "The names of a web ACL and its metrics have at most 128 letters, digits, hyphens and underscores",
		Do:   "correct the name",
		Check: both(named(webACL, "name", `^[\w-]+$`, 128), named(webACL, "visibility_config.0.metric_name", `^[\w-]+$`, 128),
			named(webACL, "rule.0.visibility_config.0.metric_name", `^[\w-]+$`, 128)),
	}}
}

func apiPermissions(p *Plan, r *Report) {
	for _, x := range p.Of(apiIntegration) {
		_, called, ok := strings.Cut(x.Text("uri"), "/functions/")
		called = strings.TrimSuffix(called, "/invocations")
		if x.Text("uri") == "" {
			continue
		}
		r.hold(ok && slices.ContainsFunc(p.Of("aws_lambda_permission"), func(o Resource) bool {
			return o.Text("principal") == "apigateway.amazonaws.com" && o.Text("action") == "lambda:InvokeFunction" &&
				strings.HasSuffix(called, ":function:"+o.Text("function_name")+":"+o.Text("qualifier"))
		}), x, "API Gateway may not call %s", called)
		r.hold(slices.ContainsFunc(p.Of("aws_lambda_alias"), func(o Resource) bool {
			return o.Text("arn") == "" || o.Text("arn") == called
		}), x, "it calls %s, which is no alias of the plan", called)
	}
}

func apiDeployments(p *Plan, r *Report) {
	for _, x := range p.Of("aws_api_gateway_deployment") {
		triggers, _ := x.at("triggers").(map[string]any)
		r.hold(len(triggers) > 0, x, "it is not made anew when the API changes")
	}
}

func apiThrottles(p *Plan, r *Report) {
	const settings = "aws_api_gateway_method_settings"
	for _, x := range p.Of(apiStage) {
		r.hold(slices.ContainsFunc(p.Of(settings), func(o Resource) bool {
			return o.Text("stage_name") == x.Text("stage_name") && o.Text("method_path") == "*/*"
		}), x, "no setting limits all its methods")
	}
	for _, x := range p.Of(settings) {
		rate, _ := x.Number("settings.0.throttling_rate_limit")
		burst, _ := x.Number("settings.0.throttling_burst_limit")
		r.hold(rate > 0 && rate <= 10_000 && burst > 0 && burst <= 5_000, x, "rate %v, burst %v", rate, burst)
	}
}

func apiAccessLogs(p *Plan, r *Report) {
	for _, x := range p.Of(apiStage) {
		for _, log := range x.Blocks("access_log_settings") {
			arn := log.Text("destination_arn")
			_, found := p.find("aws_cloudwatch_log_group", "arn", arn)
			r.hold(found || arn == "", x, "the plan has no log group %s", arn)
			format := log.Text("format")
			r.hold(format == "" || strings.Contains(format, "$context.requestId") ||
				strings.Contains(format, "$context.extendedRequestId"), x, "the log's format has no id of the request")
		}
		r.hold(len(x.Blocks("access_log_settings")) > 0, x, "it has no access log")
	}
}

func webACLs(p *Plan, r *Report) {
	const association = "aws_wafv2_web_acl_association"
	for _, x := range p.Of(apiStage) {
		r.hold(slices.ContainsFunc(p.Of(association), func(o Resource) bool {
			_, acl := p.find(webACL, "arn", o.Text("web_acl_arn"))
			return (x.Text("arn") == "" || o.Text("resource_arn") == x.Text("arn")) && (acl || o.Text("web_acl_arn") == "")
		}), x, "no web ACL protects it")
	}
}

func webACLBlocks(x Resource, r *Report) {
	bodies := map[string]bool{"": true}
	for _, body := range x.Blocks("custom_response_body") {
		bodies[body.Text("key")] = true
	}
	for _, rule := range x.Blocks("rule") {
		r.hold(len(rule.Blocks("action.0.block")) > 0, x, "the rule %s blocks nothing", rule.Text("name"))
		key := rule.Text("action.0.block.0.custom_response.0.custom_response_body_key")
		r.hold(bodies[key], x, "there is no body %q", key)
	}
}
