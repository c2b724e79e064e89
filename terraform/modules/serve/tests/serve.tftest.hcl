mock_provider "aws" {
  source = "../../mocks"
}

variables {
  region          = "eu-west-1"
  vector_database = { dsn = "postgres://recommend@h:5432/kindred", iam = { resource_id = "db-X", user = "recommend" } }
  function        = { name = "kindred-test-serve", package_path = "main.tf" }
  alias           = "live"
  callers         = ["arn:aws:iam::123456789012:role/shop"]
}

run "only_named_callers" {

  assert {
    condition     = aws_lambda_function_url.this.authorization_type == "AWS_IAM" && aws_lambda_function_url.this.qualifier == "live"
    error_message = "the URL must require a signature, and call the alias"
  }

  assert {
    condition     = [for p in aws_lambda_permission.caller : p.principal] == ["arn:aws:iam::123456789012:role/shop"]
    error_message = "only named principals may call the URL"
  }

  assert {
    condition     = [for p in aws_lambda_permission.caller_of_function : [p.principal, p.invoked_via_function_url]] == [["arn:aws:iam::123456789012:role/shop", true]]
    error_message = "a caller of the URL may call the function by it, and in no other way"
  }
}

run "reads_versions_where_it_is_told_to" {
  variables {
    artifacts_bucket = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
    memory_share     = 0.25
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.this[0].statement : s.resources]), "arn:aws:s3:::artifacts/model/*")
    error_message = "it must be allowed to read the model versions, and nothing else of their bucket"
  }

  assert {
    condition     = local.memory["ARTIFACTS_BUCKET"] == "artifacts" && local.memory["MEMORY_SHARE"] == "0.25"
    error_message = "the function must learn where the versions are, and how much of them it may hold"
  }
}

run "delivers_where_it_is_told_to" {
  variables {
    delivery_stream = { name = "recommendations", arn = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/recommendations" }
    kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/k"
  }

  assert {
    condition = [for s in data.aws_iam_policy_document.this[0].statement : { actions = s.actions, resources = s.resources }] == [
      { actions = toset(["firehose:PutRecordBatch"]), resources = toset(["arn:aws:firehose:eu-west-1:123456789012:deliverystream/recommendations"]) }
    ]
    error_message = "it must be allowed to put records there, and nothing else"
  }

  assert {
    condition     = local.records["RECOMMENDATIONS_DELIVERY_STREAM"] == "recommendations"
    error_message = "the function must learn where it delivers"
  }
}

run "takes_events_where_it_is_told_to" {
  variables {
    stream    = { name = "activity", arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/activity", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k" }
    site_keys = "{\"keys\":[]}"
  }

  assert {
    condition = [for s in data.aws_iam_policy_document.this[0].statement : { actions = s.actions, resources = s.resources }] == [
      { actions = toset(["kinesis:PutRecords"]), resources = toset(["arn:aws:kinesis:eu-west-1:123456789012:stream/activity"]) },
      { actions = toset(["kms:GenerateDataKey"]), resources = toset(["arn:aws:kms:eu-west-1:123456789012:key/k"]) }
    ]
    error_message = "it must be allowed to put events there, and nothing else"
  }

  assert {
    condition     = local.events["ACTIVITY_STREAM"] == "activity" && local.keys["SITE_KEYS"] == "{\"keys\":[]}"
    error_message = "the function must learn where events go, and who may call it"
  }
}

run "refuses_keys_that_are_none" {
  command = plan

  variables {
    site_keys = "pk_0123456789abcdef"
  }

  expect_failures = [var.site_keys]
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
