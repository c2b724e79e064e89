package rules

import (
	"regexp"
	"slices"
	"strings"
)

const (
	function = "aws_lambda_function"
	mapping  = "aws_lambda_event_source_mapping"
	lambda   = docs + "lambda/latest/dg/"
	mapAPI   = docs + "lambda/latest/api/API_CreateEventSourceMapping.html"
)

// functionRules are about Lambda, and about the mapping from the stream.
func functionRules() []Rule {
	return slices.Concat([]Rule{{
		Name: "lambda-url-permission", Source: lambda + "urls-auth.html",
		Says: "Since October 2025 callers of a function URL need lambda:InvokeFunctionUrl and lambda:InvokeFunction " +
			"(lambda:InvokedViaFunctionUrl)",
		Do: "add an aws_lambda_permission for lambda:InvokeFunction with invoked_via_function_url, for the same " +
			"principal and alias",
		Check: urlPermissions,
	}, {
		Name: "lambda-url-auth", Source: lambda + "urls-auth.html",
		Says: "AWS_IAM lets only signed requests of permitted principals reach a function; NONE lets everybody",
		Do:   "set authorization_type to AWS_IAM, and function_url_auth_type of its permissions too",
		Check: both(oneOf("aws_lambda_function_url", "authorization_type", "AWS_IAM"),
			oneOf("aws_lambda_permission", "function_url_auth_type", "AWS_IAM")),
	}, {
		Name: "lambda-reserved", Source: lambda + "configuration-concurrency.html",
		Says: "An account has 1000 executions at once by default, and 100 of them must stay unreserved",
		Do:   "lower function_concurrency, or set it to -1", Check: reserved,
	}, {
		Name: "lambda-size", Source: lambda + "gettingstarted-limits.html",
		Says:  "A function has 128 to 10240 MB of memory and 1 to 900 s",
		Do:    "correct memory_size or timeout",
		Check: both(within(function, "memory_size", 128, 10240), within(function, "timeout", 1, 900)),
	}, {
		Name: "lambda-runtime", Source: lambda + "lambda-runtimes.html",
		Says: "A Go program runs on provided.al2023, as the file bootstrap, on arm64 or x86_64",
		Do:   "correct runtime, handler or architectures",
		Check: both(oneOf(function, "runtime", "provided.al2023"), oneOf(function, "architectures.0", "arm64", "x86_64"),
			oneOf(function, "handler", "bootstrap")),
	}, {
		Name: "lambda-name", Source: docs + "lambda/latest/api/API_CreateFunction.html",
		Says: "FunctionName has at most 64 letters, digits, hyphens and underscores", Do: "shorten the name",
		Check: named(function, "function_name", `^[a-zA-Z0-9-_]+$`, 64),
	}, {
		Name: "lambda-environment", Source: lambda + "configuration-envvars.html",
		Says:  "Environment variables have at most 4 KB in all, and names that Lambda reserves are refused",
		Do:    "remove variables, or rename them",
		Check: each(function, environment),
	}, {
		Name: "lambda-trust", Source: lambda + "lambda-intro-execution-role.html",
		Says:  "Lambda (lambda.amazonaws.com) must be able to assume the execution role",
		Do:    "name lambda.amazonaws.com in the role's trust policy",
		Check: trustOf(function, "role", "lambda.amazonaws.com"),
	}, {
		Name: "lambda-log", Source: lambda + "monitoring-cloudwatchlogs.html",
		Says: "The execution role needs logs:CreateLogStream and logs:PutLogEvents on the function's log group",
		Do:   "create the log group, and allow both actions on its streams", Check: functionLogs,
	}, {
		Name: "lambda-network", Source: lambda + "configuration-vpc.html",
		Says: "A function in a VPC needs a role that may create, describe and delete network interfaces",
		Do:   "allow the EC2 actions of AWSLambdaVPCAccessExecutionRole", Check: functionNetwork,
	}, {
		Name: "lambda-tracing", Source: lambda + "services-xray.html",
		Says: "Active tracing needs xray:PutTraceSegments and xray:PutTelemetryRecords",
		Do:   "allow both on *", Check: functionTracing,
	}, {
		Name: "lambda-alias", Source: lambda + "configuration-aliases.html",
		Says: "An alias points to a published version; an unpublished function has only $LATEST",
		Do:   "set publish", Check: aliases,
	}, {
		Name: "lambda-key", Source: lambda + "security-encryption-at-rest.html",
		Says: "A function with a customer managed key needs kms:Decrypt on it to read its environment variables",
		Do:   "allow the role kms:Decrypt on the key", Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(function) {
				if key := x.Text("kms_key_arn"); key != "" {
					p.need(r, x, roleName(x.Text("role")), key, "kms:Decrypt")
				}
			}
		},
	}}, mappingRules())
}

func mappingRules() []Rule {
	return []Rule{{
		Name: "mapping-limits", Source: mapAPI,
		Says: "BatchSize is 1 to 10000, the window 0 to 300 s, ParallelizationFactor 1 to 10, MaximumRetryAttempts -1 to " +
			"10000, MaximumRecordAgeInSeconds -1 or 60 to 604800",
		Do: "correct the mapping's value",
		Check: both(within(mapping, "batch_size", 1, 10000), within(mapping, "maximum_batching_window_in_seconds", 0, 300),
			within(mapping, "parallelization_factor", 1, 10), within(mapping, "maximum_retry_attempts", -1, 10000),
			within(mapping, "maximum_record_age_in_seconds", 60, 604800)),
	}, {
		Name: "mapping-partial-failures", Source: lambda + "services-kinesis-batchfailurereporting.html",
		Says: "Only with ReportBatchItemFailures does Lambda read which records failed; otherwise any answer is a success",
		Do:   "add ReportBatchItemFailures to function_response_types",
		Check: each(mapping, func(x Resource, r *Report) {
			r.hold(slices.Contains(x.Texts("function_response_types"), "ReportBatchItemFailures"), x,
				"it does not read which records failed")
		}),
	}, {
		Name: "mapping-calls-alias", Source: lambda + "configuration-aliases.html",
		Says: "A mapping of a function's name calls $LATEST, not the alias",
		Do:   "name the alias's ARN",
		Check: each(mapping, func(x Resource, r *Report) {
			name := x.Text("function_name")
			r.hold(name == "" || strings.Count(name, ":") != 6, x, "it calls the newest code of %s", name)
		}),
	}, {
		Name: "mapping-stream", Source: lambda + "services-kinesis-create.html",
		Says: "The function's role needs DescribeStream, DescribeStreamSummary, GetRecords, GetShardIterator and " +
			"ListShards, and kms:Decrypt on the stream's key",
		Do: "allow the actions on the stream and its key", Check: mappingStream,
	}, {
		Name: "mapping-destination", Source: lambda + "kinesis-on-failure-destination.html",
		Says:  "An S3 destination needs s3:PutObject and s3:ListBucket; Lambda writes to aws/lambda/ in the bucket",
		Do:    "name a destination, and allow the role both actions, and kms:GenerateDataKey on the bucket's key",
		Check: mappingDestination,
	}, {
		Name: "mapping-age", Source: lambda + "services-kinesis-parameters.html",
		Says: "Lambda retries until MaximumRecordAgeInSeconds; a record older than the stream's retention is gone",
		Do:   "set maximum_record_age_in_seconds to at most the stream's retention", Check: mappingAge,
	}}
}

func urlPermissions(p *Plan, r *Report) {
	all := p.Of("aws_lambda_permission")
	for _, x := range all {
		if x.True("invoked_via_function_url") {
			r.hold(slices.ContainsFunc(all, func(o Resource) bool {
				return o.Text("action") == "lambda:InvokeFunctionUrl" && o.Text("principal") == x.Text("principal")
			}), x, "%s may call the function by its URL, but not the URL", x.Text("principal"))
		}
		if x.Text("action") != "lambda:InvokeFunctionUrl" {
			continue
		}
		r.hold(slices.ContainsFunc(all, func(o Resource) bool {
			return o.Text("action") == "lambda:InvokeFunction" && o.True("invoked_via_function_url") &&
				o.Text("principal") == x.Text("principal") &&
				o.Text("function_name") == x.Text("function_name") && o.Text("qualifier") == x.Text("qualifier")
		}), x, "%s may call the URL, but not the function by it", x.Text("principal"))
	}
}

func reserved(p *Plan, r *Report) {
	var sum float64
	for _, x := range p.Of(function) {
		if n, set := x.Number("reserved_concurrent_executions"); set && n > 0 {
			sum += n
		}
		r.hold(sum <= 900, x, "the functions reserve %v executions", sum)
	}
}

func environment(x Resource, r *Report) {
	variables, _ := x.at("environment.0.variables").(map[string]any)
	taken := regexp.MustCompile(`^(AWS_LAMBDA_.*|AWS_REGION|AWS_DEFAULT_REGION|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_EXECUTION_ENV|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|_HANDLER|_X_AMZN_TRACE_ID|TZ)$`)
	size := 0
	for name, value := range variables {
		text, _ := value.(string)
		size += len(name) + len(text)
		r.hold(!taken.MatchString(name), x, "Lambda reserves the variable %s", name)
	}
	r.hold(size <= 4096, x, "its variables have %d bytes", size)
}

func functionLogs(p *Plan, r *Report) {
	for _, x := range p.Of(function) {
		name := x.Text("logging_config.0.log_group")
		if name == "" {
			name = "/aws/lambda/" + x.Text("function_name")
		}
		group, found := p.find("aws_cloudwatch_log_group", "name", name)
		r.hold(found, x, "the plan has no log group %s: Lambda would create one that never expires", name)
		if arn := group.Text("arn"); arn != "" {
			p.need(r, x, roleName(x.Text("role")), arn+":log-stream:any", "logs:CreateLogStream", "logs:PutLogEvents")
		}
	}
}

func functionNetwork(p *Plan, r *Report) {
	for _, x := range p.Of(function) {
		if len(x.Blocks("vpc_config")) > 0 {
			p.need(r, x, roleName(x.Text("role")), "*", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
				"ec2:DescribeSubnets",
				"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")
		}
	}
}

func functionTracing(p *Plan, r *Report) {
	for _, x := range p.Of(function) {
		if x.Text("tracing_config.0.mode") == "Active" {
			p.need(r, x, roleName(x.Text("role")), "*", "xray:PutTraceSegments", "xray:PutTelemetryRecords")
		}
	}
}

func aliases(p *Plan, r *Report) {
	for _, x := range p.Of("aws_lambda_alias") {
		if f, found := p.find(function, "function_name", x.Text("function_name")); found {
			r.hold(f.True("publish"), x, "%s publishes no versions", x.Text("function_name"))
		}
	}
}

// roleOf returns the name of the role of the function that a mapping calls.
func (p *Plan) roleOf(x Resource) string {
	for _, f := range p.Of(function) {
		if arn := f.Text("arn"); arn != "" && strings.HasPrefix(x.Text("function_name"), arn) {
			return roleName(f.Text("role"))
		}
	}
	return ""
}

func mappingStream(p *Plan, r *Report) {
	for _, x := range p.Of(mapping) {
		p.need(r, x, p.roleOf(x), x.Text("event_source_arn"), "kinesis:DescribeStream", "kinesis:DescribeStreamSummary",
			"kinesis:GetRecords",
			"kinesis:GetShardIterator", "kinesis:ListShards")
		if stream, found := p.find("aws_kinesis_stream", "arn", x.Text("event_source_arn")); found &&
			stream.Text("kms_key_id") != "" {
			p.need(r, x, p.roleOf(x), stream.Text("kms_key_id"), "kms:Decrypt")
		}
	}
}

func mappingDestination(p *Plan, r *Report) {
	for _, x := range p.Of(mapping) {
		arn := x.Text("destination_config.0.on_failure.0.destination_arn")
		r.hold(len(x.Blocks("destination_config")) > 0, x, "what fails at last is lost: it has no destination")
		if strings.HasPrefix(arn, "arn:aws:s3:::") {
			p.need(r, x, p.roleOf(x), arn, "s3:ListBucket")
			p.need(r, x, p.roleOf(x), arn+"/aws/lambda/any", "s3:PutObject")
		}
	}
}

func mappingAge(p *Plan, r *Report) {
	for _, x := range p.Of(mapping) {
		age, _ := x.Number("maximum_record_age_in_seconds")
		if stream, found := p.find("aws_kinesis_stream", "arn", x.Text("event_source_arn")); found {
			hours, _ := stream.Number("retention_period")
			r.hold(age > 0 && age <= hours*3600, x, "it retries for %v s, the stream keeps records for %v h", age, hours)
		}
	}
}
