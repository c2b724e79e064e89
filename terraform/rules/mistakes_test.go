package rules

// Addresses in the fixture.
const (
	vectors    = "module.vector_database.aws_db_instance.this"
	source     = "module.source_database[0].aws_db_instance.this"
	recommend  = "module.recommend.module.function.aws_lambda_function.this"
	activity   = "module.stream.aws_kinesis_stream.activity[0]"
	activities = "module.recommend.aws_lambda_event_source_mapping.activity"
	delivers   = "module.stream.aws_kinesis_firehose_delivery_stream.recommendations"
	etl        = "module.glue[0].aws_glue_job.etl"
	train      = "module.train.module.task.aws_ecs_task_definition.this"
	publish    = "module.publish.module.task.aws_ecs_task_definition.this"
	chain      = "module.chain.aws_sfn_state_machine.chain"
	nightly    = "module.chain.aws_scheduler_schedule.nightly"
	key        = "module.kms.aws_kms_key.this"
	errors     = `module.observability.aws_cloudwatch_metric_alarm.this["function-errors"]`
	arms       = `module.observability.aws_cloudwatch_metric_alarm.arm["serve"]`
	quarantine = `module.observability.aws_cloudwatch_metric_alarm.this["quarantine"]`
	lakeBucket = `module.lake.module.bucket["lake"].aws_s3_bucket`
	logsTarget = "module.lake.module.access_logs[0].aws_s3_bucket"
	shopCaller = `["arn:aws:iam::123456789012:role/shop"]`
	dockerAPI  = `module.network.aws_vpc_endpoint.interface["ecr.dkr"]`
	board      = "module.observability.aws_cloudwatch_dashboard.this[0]"
	otherKey   = "arn:aws:kms:eu-west-1:123456789012:key/other"
)

// mistakes are at least one for each rule.
func mistakes() []mistake {
	var all []mistake
	for _, some := range [][]mistake{databaseMistakes(), functionMistakes(), batchMistakes(), glueMistakes(),
		networkMistakes(), frontMistakes(),
		chainMistakes(), streamMistakes(), watchMistakes(), keyMistakes(), roleMistakes(), ciMistakes(), tunnelMistakes()} {
		all = append(all, some...)
	}
	return all
}

func databaseMistakes() []mistake {
	return []mistake{
		{"rds-insights-class", source, "performance_insights_enabled", true},
		{"rds-parameter-family", vectors, "engine_version", "18"},
		{"rds-parameter-group-name", "module.vector_database.aws_db_parameter_group.this", "name", "kindred-dev-vectors"},
		{"rds-final-snapshot", vectors, "final_snapshot_identifier", "kindred-dev-vectors-final"},
		{"rds-version-is-major", vectors, "engine_version", "17.4"},
		{"rds-storage", vectors, "max_allocated_storage", 21.0},
		{"rds-storage", vectors, "allocated_storage", 10.0},
		{"rds-monitoring", vectors, "monitoring_interval", 45.0},
		{"rds-monitoring", "module.vector_database.aws_iam_role_policy_attachment.monitoring", "", nil},
		{"rds-monitoring", "module.vector_database.aws_iam_role.monitoring",
			"assume_role_policy.Statement.0.Principal.Service", "rds.amazonaws.com"},
		{"rds-identifier", vectors, "identifier", "kindred--vectors"},
		{"rds-master-name", vectors, "username", "admin"},
		{"rds-password", vectors, "password", "secret"},
		{"rds-subnet-zones", "module.vector_database.aws_db_subnet_group.this", "subnet_ids.0", nil},
		{"rds-log-exports", vectors, "enabled_cloudwatch_logs_exports.0", "slowquery"},
		{"rds-log-exports", `module.vector_database.aws_cloudwatch_log_group.this["upgrade"]`, "", nil},
		{"rds-force-tls", "module.source_database[0].aws_db_parameter_group.this", "parameter.1.value", "0"},
		{"rds-iam-login", vectors, "iam_database_authentication_enabled", false},
		{"rds-backup", vectors, "backup_retention_period", 0.0},
		{"rds-connections", recommend, "reserved_concurrent_executions", 20.0},
		{"rds-logged-values", "module.vector_database.aws_db_parameter_group.this", "parameter.2", nil},
	}
}

func functionMistakes() []mistake {
	return []mistake{
		{"lambda-url-permission", "module.serve.aws_lambda_permission.caller_of_function" + shopCaller, "", nil},
		{"lambda-url-permission", "module.serve.aws_lambda_permission.caller_of_function" + shopCaller,
			"invoked_via_function_url", nil},
		{"lambda-url-auth", "module.serve.aws_lambda_function_url.this", "authorization_type", "NONE"},
		{"lambda-reserved", recommend, "reserved_concurrent_executions", 1000.0},
		{"lambda-size", recommend, "timeout", 901.0},
		{"lambda-runtime", recommend, "runtime", "go1.x"},
		{"lambda-name", recommend, "function_name", "kindred.recommend"},
		{"lambda-environment", recommend, "environment.0.variables.AWS_REGION", region},
		{"lambda-trust", "module.recommend.module.function.aws_iam_role.this",
			"assume_role_policy.Statement.0.Principal.Service", "edgelambda.amazonaws.com"},
		{"lambda-log", "module.serve.module.function.aws_cloudwatch_log_group.this", "", nil},
		{"lambda-network", "module.recommend.module.function.aws_iam_role_policy.this", "policy", `{"Statement":[]}`},
		{"lambda-tracing", "module.recommend.module.function.aws_iam_role_policy.this", "policy", `{"Statement":[]}`},
		{"lambda-alias", recommend, "publish", false},
		{"lambda-key", recommend, "kms_key_arn", otherKey},
		{"mapping-limits", activities, "parallelization_factor", 11.0},
		{"mapping-limits", activities, "batch_size", 20000.0},
		{"mapping-partial-failures", activities, "function_response_types", nil},
		{"mapping-calls-alias", activities, "function_name",
			"arn:aws:lambda:eu-west-1:123456789012:function:kindred-dev-recommend"},
		{"mapping-stream", activity, "kms_key_id", otherKey},
		{"mapping-destination", activities, "destination_config", nil},
		{"mapping-age", activity, "retention_period", 5.0},
	}
}

func batchMistakes() []mistake {
	container := "container_definitions.0."
	return []mistake{
		{"fargate-sizes", train, "memory", "2048"},
		{"fargate-sizes", train, "cpu", "3072"},
		{"fargate-storage", train, "ephemeral_storage.0.size_in_gib", 20.0},
		{"fargate-network", train, "network_mode", "bridge"},
		{"ecs-trust", "module.batch.aws_iam_role.execution", "assume_role_policy.Statement.0.Principal.Service",
			"ecs.amazonaws.com"},
		{"ecs-pull", "module.batch.aws_iam_role_policy.execution", "policy.Statement.1.Action", "ecr:BatchGetImage"},
		{"ecs-logs", train, container + "logConfiguration.options.awslogs-region", "us-east-1"},
		{"ecs-logs", "module.train.module.task.aws_cloudwatch_log_group.this", "", nil},
		{"ecs-secrets", publish, container + "secrets.0.valueFrom",
			"arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf:password::"},
		{"ecs-volumes", train, container + "mountPoints.0.sourceVolume", "tmp"},
		{"ecs-image-tag", train, container + "image", "batch:latest"},
		{"ecr-name", "module.batch.aws_ecr_repository.batch", "name", "Kindred/batch"},
		{"ecr-lifecycle", "module.batch.aws_ecr_lifecycle_policy.batch", "policy.rules.0.selection.tagStatus", "tagged"},
		{"s3-name", lakeBucket + ".this", "bucket", "kindred_lake"},
		{"s3-public", lakeBucket + "_public_access_block.this", "restrict_public_buckets", false},
		{"s3-tls", lakeBucket + "_policy.this", "policy.Statement.0.Condition.Bool.aws:SecureTransport", "true"},
		{"s3-tls", lakeBucket + "_policy.this", "", nil},
		{"s3-log-target", logsTarget + "_server_side_encryption_configuration.this",
			"rule.0.apply_server_side_encryption_by_default.0.sse_algorithm", "aws:kms"},
		{"s3-log-target", logsTarget + "_policy.this", "policy.Statement.1", nil},
		{"s3-lifecycle", lakeBucket + "_lifecycle_configuration.this[0]", "rule.0.noncurrent_version_expiration", nil},
		{"s3-bucket-key", lakeBucket + "_server_side_encryption_configuration.this", "rule.0.bucket_key_enabled", false},
	}
}

func glueMistakes() []mistake {
	role := "module.glue[0].aws_iam_role_policy.job"
	return []mistake{
		{"glue-trust", "module.glue[0].aws_iam_role.job", "assume_role_policy.Statement.0.Condition",
			map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": "123456789012"}}},
		{"glue-trust", "module.glue[0].aws_iam_role.job", "assume_role_policy.Statement.0.Principal.Service",
			"lambda.amazonaws.com"},
		{"glue-workers", etl, "number_of_workers", 1.0},
		{"glue-timeout", etl, "timeout", 20000.0},
		{"glue-version", etl, "glue_version", "0.9"},
		{"glue-code", etl, "command.0.script_location", "s3://kindred-dev-123456789012-lake/launcher.py"},
		{"glue-logs", `module.glue[0].aws_cloudwatch_log_group.job["error"]`, "", nil},
		{"glue-metrics", role, "policy", `{"Statement":[]}`},
		{"glue-key", "module.glue[0].aws_glue_security_configuration.this",
			"encryption_configuration.0.s3_encryption.0.kms_key_arn", otherKey},
		{"glue-network", role, "policy", `{"Statement":[]}`},
		{"glue-self-reference", "module.network.aws_vpc_security_group_ingress_rule.glue_self[0]", "from_port", 1024.0},
		{"glue-self-reference", "module.network.aws_vpc_security_group_egress_rule.glue_self[0]", "", nil},
		{"glue-subnet", "module.glue[0].aws_glue_connection.source", "physical_connection_requirements.0.availability_zone",
			"eu-west-1b"},
		{"glue-catalog-key", "module.etl.aws_glue_data_catalog_encryption_settings.this[0]",
			"data_catalog_encryption_settings.0.encryption_at_rest.0.sse_aws_kms_key_id", otherKey},
		{"glue-region", etl, "default_arguments.--region", "us-east-1"},
		{"glue-names", "module.etl.aws_glue_catalog_database.lake", "name", "kindred-dev"},
		{"glue-projection", "module.etl.aws_glue_catalog_table.recommendations", "partition_keys.0.name", "day"},
	}
}

func networkMistakes() []mistake {
	return []mistake{
		{"endpoint-per-program", `module.network.aws_vpc_endpoint.interface["kinesis-firehose"]`, "", nil},
		{"endpoint-per-program", `module.network.aws_vpc_endpoint.interface["secretsmanager"]`, "", nil},
		{"endpoint-image", dockerAPI, "", nil},
		{"endpoint-dns", dockerAPI, "private_dns_enabled", false},
		{"endpoint-dns", "module.network.aws_vpc.this", "enable_dns_hostnames", false},
		{"endpoint-groups", `module.network.aws_vpc_security_group_egress_rule.program["train-endpoints"]`, "", nil},
		{"endpoint-groups", `module.network.aws_vpc_security_group_ingress_rule.target["serve-endpoints"]`, "to_port", 80.0},
		{"endpoint-zones", dockerAPI, "subnet_ids.0", nil},
		{"endpoint-policy", dockerAPI, "policy", nil},
		{"endpoint-policy", "module.network.aws_vpc_endpoint.s3", "policy.Statement.1", nil},
		{"endpoint-policy", "module.network.aws_vpc_endpoint.s3", "policy.Statement.0.Condition", nil},
		{"task-address", chain, "definition.States.Publish.Parameters.NetworkConfiguration.AwsvpcConfiguration." +
			"AssignPublicIp", "ENABLED"},
		{"task-address", "module.catalogue[0].aws_scheduler_schedule.this",
			"target.0.ecs_parameters.0.network_configuration.0.assign_public_ip", true},
		{"gateway-routes", "module.network.aws_vpc_endpoint.s3", "route_table_ids", []any{}},
		{"gateway-prefix-list", `module.network.aws_vpc_security_group_egress_rule.s3["recommend"]`, "", nil},
		{"endpoint-region", dockerAPI, "service_name", "com.amazonaws.us-east-1.ecr.dkr"},
		{"database-clients", `module.network.aws_vpc_security_group_ingress_rule.target["serve-vector_db"]`,
			"referenced_security_group_id", "sg-other"},
		{"database-ports", `module.network.aws_vpc_security_group_ingress_rule.target["serve-vector_db"]`, "to_port", 5431.0},
		{"database-ports", vectors, "publicly_accessible", true},
		{"zones-of-region", `module.network.aws_subnet.private["eu-west-1a"]`, "availability_zone", "us-east-1a"},
		{"security-group-open", `module.network.aws_vpc_security_group_ingress_rule.target["serve-vector_db"]`, "cidr_ipv4",
			"0.0.0.0/0"},
		{"flow-log-role", "module.network.aws_iam_role_policy.flow", "policy.Statement.1", nil},
	}
}

func frontMistakes() []mistake {
	const (
		called  = "module.front[0].aws_api_gateway_integration.function"
		may     = "module.front[0].aws_lambda_permission.api"
		stage   = "module.front[0].aws_api_gateway_stage.this"
		limited = "module.front[0].aws_api_gateway_method_settings.all"
		acl     = "module.front[0].aws_wafv2_web_acl.this"
		logs    = "module.front[0].aws_iam_role"
	)
	return []mistake{
		{"api-permission", may, "", nil}, {"api-permission", may, "qualifier", "next"},
		{"api-permission", called, "uri", "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/" +
			"arn:aws:lambda:eu-west-1:123456789012:function:kindred-dev-serve/invocations"},
		{"api-caller", may, "source_arn", nil},
		{"api-proxy", called, "integration_http_method", "ANY"}, {"api-proxy", called, "type", "AWS"},
		{"api-time", called, "timeout_milliseconds", 30000.0},
		{"api-deployment", "module.front[0].aws_api_gateway_deployment.this", "triggers", nil},
		{"api-stage-name", stage, "stage_name", "v1.0"},
		{"api-throttle", limited, "", nil}, {"api-throttle", limited, "settings.0.throttling_burst_limit", -1.0},
		{"api-access-log", "module.front[0].aws_cloudwatch_log_group.access", "", nil},
		{"api-access-log", stage, "access_log_settings.0.format", "$context.status"},
		{"api-access-log", stage, "access_log_settings", nil},
		{"api-log-trust", logs + ".logs[0]", "assume_role_policy.Statement.0.Principal.Service", "lambda.amazonaws.com"},
		{"api-log-role", logs + "_policy.logs[0]", "policy.Statement.0.Action.2", nil},
		{"waf-scope", acl, "scope", "CLOUDFRONT"},
		{"waf-association", "module.front[0].aws_wafv2_web_acl_association.this", "", nil},
		{"waf-rate", acl, limits + "limit", 5.0}, {"waf-rate", acl, limits + "evaluation_window_sec", 30.0},
		{"waf-blocks", acl, "rule.0.action.0.block", nil}, {"waf-blocks", acl, "custom_response_body", nil},
		{"waf-name", acl, "rule.0.visibility_config.0.metric_name", "kindred.dev"},
	}
}

func chainMistakes() []mistake {
	role, state := "module.chain.aws_iam_role_policy.chain", "definition.States."
	none := `{"Statement":[]}`
	return []mistake{
		{"schedule-expression", nightly, "schedule_expression", "rate(5 minute)"},
		{"schedule-trust", `module.chain.aws_iam_role.scheduler`, "assume_role_policy.Statement.0.Principal.Service",
			"events.amazonaws.com"},
		{"schedule-target", "module.chain.aws_iam_role_policy.scheduler", "policy.Statement.0.Resource",
			"arn:aws:states:eu-west-1:123456789012:stateMachine:other"},
		{"schedule-target", "module.catalogue[0].aws_iam_role_policy.this", "policy.Statement.1", nil},
		{"schedule-key", nightly, "kms_key_arn", otherKey},
		{"schedule-retries", nightly, "target.0.retry_policy.0.maximum_retry_attempts", 200.0},
		{"schedule-name", nightly, "name", "kindred dev"},
		{"sfn-states", chain, state + "Train.Next", "Publisch"},
		{"sfn-states", chain, state + "Publish.End", nil},
		{"sfn-trust", "module.chain.aws_iam_role.chain", "assume_role_policy.Statement.0.Principal.Service",
			"scheduler.amazonaws.com"},
		{"sfn-ecs", role, "policy", none}, {"sfn-glue", role, "policy", none}, {"sfn-sns", role, "policy", none},
		{"sfn-logs", chain, "logging_configuration.0.log_destination",
			"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/states/kindred-dev-batch"},
		{"sfn-key", chain, "encryption_configuration.0.kms_data_key_reuse_period_seconds", 1000.0},
		{"sfn-key", key, "policy.Statement.2", nil},
		{"sfn-tracing", role, "policy", none},
		{"sfn-name", chain, "name", "kindred.dev"},
	}
}

func streamMistakes() []mistake {
	return []mistake{
		{"kinesis-retention", activity, "retention_period", 12.0},
		{"kinesis-mode", activity, "shard_count", 2.0},
		{"kinesis-name", activity, "name", "kindred activity"},
		{"firehose-buffer", delivers, to + "buffering_size", 256.0},
		{"firehose-prefix", delivers, to + "error_output_prefix", "errors/"},
		{"firehose-trust", "module.stream.aws_iam_role.delivery", "assume_role_policy.Statement.0.Principal.Service",
			"kinesis.amazonaws.com"},
		{"firehose-bucket", delivers, to + "bucket_arn", "arn:aws:s3:::other"},
		{"firehose-key", delivers, to + "kms_key_arn", otherKey},
		{"firehose-log", "module.stream.aws_cloudwatch_log_stream.delivery[0]", "", nil},
		{"firehose-name", delivers, "name", "kindred/recommendations"},
	}
}

func watchMistakes() []mistake {
	return []mistake{
		{"alarm-metric", errors, "metric_name", "Error"},
		{"alarm-metric", quarantine, "dimensions", nil},
		{"alarm-metric", quarantine, "metric_name", "quarantine"},
		{"alarm-target", quarantine, "dimensions.function", "recommend"},
		{"alarm-window", `module.observability.aws_cloudwatch_metric_alarm.this["model-old"]`, "evaluation_periods", 8.0},
		{"alarm-actions", errors, "alarm_actions", nil},
		{"alarm-actions", "module.observability.aws_sns_topic_policy.alarms", "policy.Statement.0.Principal.Service",
			"events.amazonaws.com"},
		{"alarm-metric", arms, "metric_query.1.metric.0.dimensions", map[string]any{"arm": "control"}},
		{"alarm-metric", arms, "metric_query.1.metric.0.metric_name", "arm_answer"},
		{"alarm-target", arms, "metric_query.1.metric.0.dimensions.function", "recommend"},
		{"alarm-window", arms, "metric_query.1.metric.0.period", 7230.0},
		{"alarm-math", arms, "metric_query.4.return_data", false},
		{"alarm-math", arms, "metric_query.1.id", "Answers"},
		{"alarm-composite", "module.observability.aws_cloudwatch_composite_alarm.stream[0]", "alarm_rule",
			`ALARM("kindred-dev-gone")`},
		{"alarm-missing-data", errors, "treat_missing_data", "none"},
		{"alarm-operator", errors, "statistic", "Mean"},
		{"dashboard-body", board, "dashboard_body.widgets.1.properties.region", "us-east-1"},
		{"dashboard-body", board, "dashboard_body.widgets.2.x", 4.0},
		{"dashboard-body", board, "dashboard_body.widgets.0.properties.markdown", nil},
		{"alarm-metric", board, "dashboard_body.widgets.1.properties.metrics.0.1", "IncomingRecord"},
		{"alarm-metric", board, "dashboard_body.widgets.1.properties.metrics.0.2", "Stream"},
		{"alarm-target", board, "dashboard_body.widgets.1.properties.metrics.0.3", "kindred-other-activity"},
		{"alarm-target", board, "dashboard_body.widgets.6.properties.metrics.0.3", "kindred-dev-serve"},
		{"metric-filter", "module.catalogue[0].aws_cloudwatch_log_metric_filter.this", "log_group_name", "/ecs/other"},
		{"log-retention", "module.chain.aws_cloudwatch_log_group.chain", "retention_in_days", 366.0},
		{"log-name", "module.chain.aws_cloudwatch_log_group.chain", "name", "/kindred dev"},
	}
}

func keyMistakes() []mistake {
	return []mistake{
		{"kms-root", key, "policy.Statement.0", nil},
		{"kms-window", key, "deletion_window_in_days", 5.0},
		{"kms-rotation", key, "enable_key_rotation", false},
		{"kms-alias", "module.kms.aws_kms_alias.this", "name", "alias/aws/kindred"},
		{"kms-logs", key, "policy.Statement.1.Action", "kms:Decrypt*"},
		{"kms-logs", key, "policy.Statement.1.Condition.ArnLike.kms:EncryptionContext:aws:logs:arn",
			"arn:aws:logs:us-east-1:123456789012:*"},
		{"alarm-actions", key, "policy.Statement.3", nil},
		{"kms-bucket-users", lakeBucket + "_server_side_encryption_configuration.this",
			"rule.0.apply_server_side_encryption_by_default.0.kms_master_key_id", otherKey},
		{"kms-stream-users", activity, "kms_key_id", otherKey},
		{"kms-secret-users", source, "master_user_secret_kms_key_id", otherKey},
	}
}

func roleMistakes() []mistake {
	role := "module.chain.aws_iam_role_policy.chain"
	return []mistake{
		{"role-per-program", "module.train.module.task.aws_iam_role_policy.this", "policy.Statement.0", nil},
		{"role-secret", etl, "default_arguments.--mysql-secret",
			"arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf"},
		{"role-secret", "module.erase.module.task.aws_ecs_task_definition.this",
			"container_definitions.0.environment.1.value",
			"arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf"},
		{"erased-list", "module.feedback[0].module.task.aws_ecs_task_definition.this",
			"container_definitions.0.environment", nil},
		{"erased-list", etl, "default_arguments.--erase-secret", nil},
		{"secret-window", "module.erase.aws_secretsmanager_secret.this", "recovery_window_in_days", 5.0},
		{"iam-role-name", "module.chain.aws_iam_role.chain", "name", "a role"},
		{"iam-boundary", "module.chain.aws_iam_role.chain", "permissions_boundary", nil},
		{"iam-policy-size", role, "policy.Statement.0.Sid", string(make([]byte, 11000))},
		{"iam-session", "module.verify[0].aws_iam_role.this", "max_session_duration", 50000.0},
		{"iam-statement", role, "policy.Statement.0.Effect", "allow"},
		{"iam-every-resource", "module.batch.aws_iam_role_policy.execution", "policy.Statement.0.Resource",
			"arn:aws:ecr:eu-west-1:123456789012:repository/kindred-dev/batch"},
		{"iam-resource-service", role, "policy.Statement.0.Action", "ecs:RunTask"},
		{"iam-condition-key", role, "policy.Statement.1.Condition",
			map[string]any{"ArnEquals": map[string]any{"ecs:clusters": "x"}}},
		{"iam-pass-role", role, "policy.Statement.3.Condition", nil},
		{"iam-policy-has-role", role, "role", "other"},
		{"iam-no-wildcard", role, "policy.Statement.0.Action", "glue:*"},
	}
}

func ciMistakes() []mistake {
	const (
		ci     = "module.ci[0].aws_iam_role.this"
		roles  = "module.ci[0].aws_iam_role_policy.roles"
		rights = "module.ci[0].aws_iam_policy.services"
	)
	trusts := func(subject string) map[string]any {
		return map[string]any{"StringEquals": map[string]any{"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
			"StringLike": map[string]any{"token.actions.githubusercontent.com:sub": subject}}
	}
	condition := "assume_role_policy.Statement.0.Condition"
	return []mistake{
		{"iam-web-identity", ci, condition + ".StringEquals", nil},
		{"iam-web-identity", ci, condition + ".StringLike", nil},
		{"iam-web-identity", ci, condition, trusts("*")},
		{"iam-web-identity", ci, condition, trusts("repo:org/*:environment:prod")},
		{"iam-web-identity", ci, condition, trusts("repo:org/shop:*")},
		{"iam-web-identity", ci, condition, trusts("environment:prod")},
		{"iam-delegation", roles, "policy.Statement.1.Condition", nil},
		{"iam-delegation", roles, "policy.Statement.4", nil},
		{"iam-delegation", roles, "policy.Statement.2.Action.0", "iam:DeleteRolePermissionsBoundary"},
		{"iam-delegation", rights, "policy.Statement.0.Action.0", "iam:*"},
		{"iam-promotes", roles, "policy.Statement.3.Condition.StringEquals.iam:PassedToService.0", nil},
		{"iam-promotes", roles, "policy.Statement.1.Action.0", nil},
		{"iam-promotes", rights, "policy.Statement.0.Action.0", nil},
		{"iam-promotes", "module.ci[0].aws_iam_role_policy_attachment.services", "", nil},
		{"iam-condition-key", rights, "policy.Statement.0.Condition.StringEquals",
			map[string]any{"aws:Region": "eu-west-1"}},
	}
}

func tunnelMistakes() []mistake {
	const (
		tunnel   = "module.tunnel[0].module.task.aws_ecs_task_definition.this"
		operator = "module.tunnel[0].aws_iam_role_policy.operator"
	)
	return []mistake{
		{"ecs-exec", tunnel, "container_definitions.0.readonlyRootFilesystem", true},
		{"ecs-exec", "module.tunnel[0].module.task.aws_iam_role_policy.this", "policy.Statement.0.Action.3", nil},
		{"ecs-exec", operator, "policy.Statement.2.Action.1", nil},
		{"ecs-exec", operator, "policy.Statement.4", nil},
		{"endpoint-per-program", `module.network.aws_vpc_endpoint.interface["ssmmessages"]`, "", nil},
		{"tunnel-target", operator, "policy.Statement.7.Resource",
			"arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-other/recommend"},
		{"tunnel-target", tunnel, "container_definitions.0.dockerLabels",
			map[string]any{"kindred.tunnel": `{"host":"other.example"}`}},
		{"iam-resource-service", operator, "policy.Statement.5.Action", "ssm:SendCommand"},
		{"database-clients", tunnel, "container_definitions.0.dockerLabels", nil},
	}
}
