# Addresses of earlier commits, so that an existing state is kept: a plan moves these resources and
# destroys none.

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
