output "stream" {
  description = "Activity stream, and the key that encrypts it if that is another environment's."
  value = var.existing_stream != null ? var.existing_stream : {
    name            = aws_kinesis_stream.activity[0].name
    arn             = aws_kinesis_stream.activity[0].arn
    kms_key_arn     = null # kms_key_arn of all modules
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
