output "stream" {
  description = "Activity stream."
  value       = { name = aws_kinesis_stream.activity.name, arn = aws_kinesis_stream.activity.arn }
}

output "function" {
  description = "Function recommend."
  value       = { name = module.recommend.name }
}

output "delivery_stream" {
  description = "Firehose delivery stream."
  value       = { name = aws_kinesis_firehose_delivery_stream.recommendations.name, arn = aws_kinesis_firehose_delivery_stream.recommendations.arn }
}

output "serve" {
  description = "Function serve and its URL, or null."
  value       = var.serve == null ? null : { name = module.serve[0].name, url = aws_lambda_function_url.serve[0].function_url }
}

output "roles" {
  description = "Names of the roles by program."
  value = merge({ recommend = module.recommend.role, delivery = aws_iam_role.delivery.name },
  { for f in module.serve : "serve" => f.role }, { for r in aws_iam_role.verify : "verify" => r.name })
}
