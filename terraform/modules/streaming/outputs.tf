output "stream" {
  description = "Activity stream."
  value       = { name = aws_kinesis_stream.activity.name, arn = aws_kinesis_stream.activity.arn }
}

output "function" {
  description = "Function recommend, with the version that its alias calls."
  value = {
    name    = aws_lambda_function.recommend.function_name
    arn     = aws_lambda_function.recommend.arn
    version = aws_lambda_function.recommend.version
  }
}

output "delivery_stream" {
  description = "Firehose delivery stream."
  value       = { name = aws_kinesis_firehose_delivery_stream.recommendations.name, arn = aws_kinesis_firehose_delivery_stream.recommendations.arn }
}

output "mapping_id" {
  description = "Event source mapping of the stream to the function."
  value       = aws_lambda_event_source_mapping.activity.id
}

output "serve" {
  description = "Function serve and its URL, or null."
  value       = var.serve == null ? null : { name = aws_lambda_function.serve[0].function_name, url = aws_lambda_function_url.serve[0].function_url }
}

output "roles" {
  description = "Names of the roles by program."
  value       = merge({ recommend = aws_iam_role.recommend.name, delivery = aws_iam_role.delivery.name }, { for r in aws_iam_role.serve : "serve" => r.name })
}
