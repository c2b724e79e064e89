mock_provider "aws" {
  source = "../../mocks"
}

variables {
  kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  recommendations_bucket = { name = "recommendations", arn = "arn:aws:s3:::recommendations" }
  stream                 = { name = "activity" }
  delivery               = { name = "recommendations", role_name = "firehose" }
}

run "delivers_compressed_and_encrypted" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.activity[0].encryption_type == "KMS"
    error_message = "the stream must be encrypted"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration).compression_format == "GZIP" && endswith(one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration).file_extension, ".gz")
    error_message = "objects must be compressed, and their names must say so"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration).kms_key_arn == var.kms_key_arn
    error_message = "objects must be encrypted with our key"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.server_side_encryption).key_arn == var.kms_key_arn
    error_message = "records that wait for delivery must be encrypted with our key"
  }
}

run "bare" {
  command = plan

  variables {
    kms_key_arn = null
    delivery    = { name = "recommendations", role_name = "firehose", encrypt_input = false, log_errors = false }
  }

  assert {
    condition     = aws_kinesis_stream.activity[0].encryption_type == "NONE" && length(aws_cloudwatch_log_group.delivery) == 0
    error_message = "an emulator gets the streams without encryption and without an error log"
  }
}

run "shares_a_stream" {
  command = plan

  variables {
    existing_stream = { name = "books-activity", arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/books-activity", retention_hours = 48 }
  }

  assert {
    condition     = length(aws_kinesis_stream.activity) == 0 && output.stream.name == "books-activity" && output.stream.retention_hours == 48
    error_message = "a stream that exists must be used, and none created"
  }
}

run "refuses_a_folder_that_nobody_reads" {
  command = plan

  variables {
    delivery = { name = "recommendations", role_name = "firehose", prefix = "other/" }
  }

  expect_failures = [var.delivery]
}

run "refuses_errors_among_recommendations" {
  command = plan

  variables {
    delivery = { name = "recommendations", role_name = "firehose", error_prefix = "recommendations/errors/" }
  }

  expect_failures = [var.delivery]
}

run "refuses_no_shards" {
  command = plan

  variables {
    stream = { name = "activity", shard_count = 0 }
  }

  expect_failures = [var.stream]
}
