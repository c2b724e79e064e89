output "stream" {
  description = "Activity stream."
  value = {
    name            = aws_kinesis_stream.activity.name
    arn             = aws_kinesis_stream.activity.arn
    retention_hours = var.stream.retention_hours
  }
}

output "delivery_stream" {
  description = "Firehose delivery stream of the recommendations."
  value       = { name = aws_kinesis_firehose_delivery_stream.recommendations.name, arn = aws_kinesis_firehose_delivery_stream.recommendations.arn }
}

output "role" {
  description = "Name of the role that delivers."
  value       = aws_iam_role.delivery.name
}
