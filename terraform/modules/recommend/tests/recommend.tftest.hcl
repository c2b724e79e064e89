mock_provider "aws" {
  source = "../../mocks"
}

variables {
  region                 = "eu-west-1"
  kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  stream                 = { arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/activity", retention_hours = 24 }
  delivery_stream        = { name = "recommendations", arn = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/recommendations" }
  recommendations_bucket = { name = "recommendations", arn = "arn:aws:s3:::recommendations" }
  vector_database        = { dsn = "postgres://recommend@h:5432/kindred", iam = { resource_id = "db-X", user = "recommend" } }
  function               = { name = "kindred-test-recommend", package_path = "main.tf" }
  alias                  = "live"
}

run "nothing_blocks_a_shard" {

  assert {
    condition     = aws_lambda_event_source_mapping.activity.bisect_batch_on_function_error && contains(aws_lambda_event_source_mapping.activity.function_response_types, "ReportBatchItemFailures")
    error_message = "a poison record must not block its shard"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.activity.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.activity.maximum_record_age_in_seconds > 0
    error_message = "the record's age must end the retries: an outage would use up a number of attempts"
  }

  assert {
    condition     = one(one(aws_lambda_event_source_mapping.activity.destination_config).on_failure).destination_arn == var.recommendations_bucket.arn
    error_message = "events that were given up must be kept"
  }

  assert {
    condition     = endswith(aws_lambda_event_source_mapping.activity.function_name, ":live")
    error_message = "the stream must call the alias"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : alltrue([for a in s.actions : !strcontains(a, "*")])])
    error_message = "exact actions only"
  }
}

run "reads_another_environments_stream" {
  command = plan

  variables {
    stream = { arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/books", retention_hours = 24, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111" }
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s if s.sid == "UseStreamsKey"]).resources == toset([var.stream.kms_key_arn])
    error_message = "the function must be allowed to decrypt the stream"
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

run "reads_versions_where_it_is_told_to" {
  variables {
    artifacts_bucket = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
    memory_share     = 0.25
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.this.statement : s.resources]), "arn:aws:s3:::artifacts/model/*")
    error_message = "it must be allowed to read the model versions, and nothing else of their bucket"
  }

  assert {
    condition     = local.memory["ARTIFACTS_BUCKET"] == "artifacts" && local.memory["MEMORY_SHARE"] == "0.25"
    error_message = "the function must learn where the versions are, and how much of them it may hold"
  }
}

run "holds_nothing_by_itself" {
  assert {
    condition     = length(local.memory) == 0
    error_message = "without the bucket, the vector database answers everything"
  }
}

run "refuses_to_fill_the_memory" {
  command = plan

  variables {
    memory_share = 0.61
  }

  expect_failures = [var.memory_share]
}
