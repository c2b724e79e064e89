# Addresses of earlier commits, so that an existing state is kept: a plan moves these resources and
# destroys none.

moved {
  from = module.training.aws_ecr_repository.batch
  to   = module.batch.aws_ecr_repository.batch
}

moved {
  from = module.training.aws_ecr_lifecycle_policy.batch
  to   = module.batch.aws_ecr_lifecycle_policy.batch
}

moved {
  from = module.training.aws_ecs_cluster.batch
  to   = module.batch.aws_ecs_cluster.batch
}

moved {
  from = module.training.aws_ecs_cluster_capacity_providers.batch
  to   = module.batch.aws_ecs_cluster_capacity_providers.batch
}

moved {
  from = module.training.aws_iam_role.execution
  to   = module.batch.aws_iam_role.execution
}

moved {
  from = module.training.aws_iam_role_policy.execution
  to   = module.batch.aws_iam_role_policy.execution
}

moved {
  from = module.training.aws_cloudwatch_log_group.program["train"]
  to   = module.train.module.task.aws_cloudwatch_log_group.this
}

moved {
  from = module.training.aws_iam_role.program["train"]
  to   = module.train.module.task.aws_iam_role.this
}

moved {
  from = module.training.aws_iam_role_policy.program["train"]
  to   = module.train.module.task.aws_iam_role_policy.this
}

moved {
  from = module.training.aws_ecs_task_definition.program["train"]
  to   = module.train.module.task.aws_ecs_task_definition.this
}

moved {
  from = module.training.aws_cloudwatch_log_group.program["publish"]
  to   = module.publish.module.task.aws_cloudwatch_log_group.this
}

moved {
  from = module.training.aws_iam_role.program["publish"]
  to   = module.publish.module.task.aws_iam_role.this
}

moved {
  from = module.training.aws_iam_role_policy.program["publish"]
  to   = module.publish.module.task.aws_iam_role_policy.this
}

moved {
  from = module.training.aws_ecs_task_definition.program["publish"]
  to   = module.publish.module.task.aws_ecs_task_definition.this
}

moved {
  from = module.training.aws_cloudwatch_log_group.chain
  to   = module.chain.aws_cloudwatch_log_group.chain
}

moved {
  from = module.training.aws_iam_role.chain
  to   = module.chain.aws_iam_role.chain
}

moved {
  from = module.training.aws_iam_role_policy.chain
  to   = module.chain.aws_iam_role_policy.chain
}

moved {
  from = module.training.aws_sfn_state_machine.chain
  to   = module.chain.aws_sfn_state_machine.chain
}

moved {
  from = module.training.aws_iam_role.scheduler
  to   = module.chain.aws_iam_role.scheduler
}

moved {
  from = module.training.aws_iam_role_policy.scheduler
  to   = module.chain.aws_iam_role_policy.scheduler
}

moved {
  from = module.training.aws_scheduler_schedule.nightly
  to   = module.chain.aws_scheduler_schedule.nightly
}

moved {
  from = module.streaming.aws_kinesis_stream.activity
  to   = module.stream.aws_kinesis_stream.activity
}

moved {
  from = module.streaming.aws_iam_role.delivery
  to   = module.stream.aws_iam_role.delivery
}

moved {
  from = module.streaming.aws_iam_role_policy.delivery
  to   = module.stream.aws_iam_role_policy.delivery
}

moved {
  from = module.streaming.aws_kinesis_firehose_delivery_stream.recommendations
  to   = module.stream.aws_kinesis_firehose_delivery_stream.recommendations
}

moved {
  from = module.streaming.aws_cloudwatch_log_group.delivery
  to   = module.stream.aws_cloudwatch_log_group.delivery
}

moved {
  from = module.streaming.aws_cloudwatch_log_stream.delivery
  to   = module.stream.aws_cloudwatch_log_stream.delivery
}

moved {
  from = module.streaming.module.recommend
  to   = module.recommend.module.function
}

moved {
  from = module.streaming.aws_lambda_event_source_mapping.activity
  to   = module.recommend.aws_lambda_event_source_mapping.activity
}

moved {
  from = module.streaming.module.serve[0]
  to   = module.serve.module.function
}

moved {
  from = module.streaming.aws_lambda_function_url.serve[0]
  to   = module.serve.aws_lambda_function_url.this
}

moved {
  from = module.streaming.aws_lambda_permission.serve
  to   = module.serve.aws_lambda_permission.caller
}

moved {
  from = module.streaming.aws_iam_role.verify[0]
  to   = module.verify[0].aws_iam_role.this
}

moved {
  from = module.streaming.aws_iam_role_policy.verify[0]
  to   = module.verify[0].aws_iam_role_policy.this
}

moved {
  from = module.etl.aws_cloudwatch_log_group.job
  to   = module.glue[0].aws_cloudwatch_log_group.job
}

moved {
  from = module.etl.aws_glue_connection.source
  to   = module.glue[0].aws_glue_connection.source
}

moved {
  from = module.etl.aws_glue_job.etl
  to   = module.glue[0].aws_glue_job.etl
}

moved {
  from = module.etl.aws_glue_security_configuration.this
  to   = module.glue[0].aws_glue_security_configuration.this
}

moved {
  from = module.etl.aws_iam_role.job
  to   = module.glue[0].aws_iam_role.job
}

moved {
  from = module.etl.aws_iam_role_policy.job
  to   = module.glue[0].aws_iam_role_policy.job
}

moved {
  from = module.etl.aws_s3_object.code
  to   = module.glue[0].aws_s3_object.code
}
