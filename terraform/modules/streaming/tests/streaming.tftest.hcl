mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                   = "kindred-test"
  region                 = "eu-west-1"
  kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  recommendations_bucket = { name = "recommendations", arn = "arn:aws:s3:::recommendations" }
  vector_database        = { dsn = "postgres://recommend@h:5432/kindred", iam = { resource_id = "db-X", user = "recommend" } }
  alias                  = "live"
  recommend              = { package_path = "main.tf" }
  serve                  = { package_path = "serve.tf", callers = ["arn:aws:iam::123456789012:role/shop"] }
  vpc                    = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  operators              = ["arn:aws:iam::123456789012:role/operator"]
}

run "nothing_blocks_a_shard" {

  assert {
    condition     = aws_lambda_event_source_mapping.activity.bisect_batch_on_function_error && contains(aws_lambda_event_source_mapping.activity.function_response_types, "ReportBatchItemFailures")
    error_message = "a poison record must not block its shard"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.activity.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.activity.maximum_record_age_in_seconds > 0
    error_message = "the record's age must end the retries: an outage would use up attempts"
  }

  assert {
    condition     = one(one(aws_lambda_event_source_mapping.activity.destination_config).on_failure).destination_arn == var.recommendations_bucket.arn
    error_message = "what is given up must be kept"
  }

  assert {
    condition     = endswith(aws_lambda_event_source_mapping.activity.function_name, ":live")
    error_message = "the stream must call the alias"
  }

  assert {
    condition     = aws_kinesis_stream.activity.encryption_type == "KMS"
    error_message = "the stream must be encrypted"
  }

  assert {
    condition     = aws_lambda_function_url.serve[0].authorization_type == "AWS_IAM"
    error_message = "the URL must ask for a signature"
  }

  assert {
    condition     = alltrue([for s in concat(data.aws_iam_policy_document.recommend.statement, data.aws_iam_policy_document.verify[0].statement) : alltrue([for a in s.actions : !strcontains(a, "*")])])
    error_message = "exact actions only"
  }
}

run "an_operator_takes_nothing_out" {
  command = plan

  assert {
    condition     = one(one(data.aws_iam_policy_document.verify_assume[0].statement).principals).identifiers == var.operators
    error_message = "only who is named may take the role"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.verify[0].statement : alltrue([for a in s.actions : !strcontains(a, "Delete")])])
    error_message = "nothing is deleted"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.verify[0].statement : s.resources == toset(["${var.recommendations_bucket.arn}/redriven/*"]) if contains(s.actions, "s3:PutObject")])
    error_message = "only markers are written"
  }
}

run "delivers_compressed_and_encrypted" {
  command = plan

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration).compression_format == "GZIP" && endswith(one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration).file_extension, ".gz")
    error_message = "objects must be compressed, and named so"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration).kms_key_arn == var.kms_key_arn
    error_message = "objects must be encrypted with our key"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.server_side_encryption).key_arn == var.kms_key_arn
    error_message = "what waits for delivery must be encrypted with our key"
  }
}

run "bare" {
  command = plan

  variables {
    vpc             = null
    serve           = null
    operators       = []
    alias           = null
    kms_key_arn     = null
    delivery        = { encrypt_input = false, log_errors = false }
    vector_database = { dsn = "postgres://u:p@h/d" }
  }

  assert {
    condition     = aws_kinesis_stream.activity.encryption_type == "NONE" && length(module.serve) == 0 && length(aws_iam_role.verify) == 0
    error_message = "an emulator gets the bare streaming half"
  }
}

run "refuses_endless_retries" {
  command = plan

  variables {
    mapping = { maximum_record_age_seconds = -1 }
  }

  expect_failures = [var.mapping]
}

run "refuses_other_retries" {
  command = plan

  variables {
    mapping = { maximum_retry_attempts = -2 }
  }

  expect_failures = [var.mapping]
}

run "refuses_an_age_beyond_the_stream" {
  command = plan

  variables {
    mapping = { maximum_record_age_seconds = 172800 }
  }

  expect_failures = [var.mapping]
}

run "refuses_all_or_nothing_batches" {
  command = plan

  variables {
    mapping = { function_response_types = [] }
  }

  expect_failures = [var.mapping]
}

run "refuses_a_folder_that_nobody_reads" {
  command = plan

  variables {
    delivery = { prefix = "other/" }
  }

  expect_failures = [var.delivery]
}

run "refuses_errors_among_recommendations" {
  command = plan

  variables {
    delivery = { error_prefix = "recommendations/errors/" }
  }

  expect_failures = [var.delivery]
}

run "refuses_no_shards" {
  command = plan

  variables {
    stream = { shard_count = 0 }
  }

  expect_failures = [var.stream]
}

run "refuses_a_bad_name" {
  command = plan

  variables {
    name = "Kindred_Test"
  }

  expect_failures = [var.name]
}
