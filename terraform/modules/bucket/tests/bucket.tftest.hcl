mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "kindred-test"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "private_versioned_encrypted" {
  command = plan

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "no bucket may be public"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "an overwritten object must stay"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "the bucket must take its key"
  }

  assert {
    condition     = anytrue([for s in data.aws_iam_policy_document.this.statement : s.effect == "Deny" && contains(s.actions, "s3:*") && one(s.condition).variable == "aws:SecureTransport"])
    error_message = "plain HTTP must be denied"
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "objects must not go with the bucket unless asked"
  }

  assert {
    condition     = length(aws_s3_bucket_logging.this) == 0
    error_message = "no access log unless asked"
  }
}

run "refuses_a_bad_name" {
  command = plan

  variables {
    name = "Not_A_Bucket"
  }

  expect_failures = [var.name]
}

run "expires_a_prefix" {
  command = plan

  variables {
    expire_days   = 28
    expire_prefix = "fits/run="
  }

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this[0].rule : [r.filter[0].prefix, r.expiration[0].days] if r.id == "expire" && r.status == "Enabled"] == [["fits/run=", 28]]
    error_message = "only what has the prefix may expire"
  }
}

run "refuses_no_days" {
  command = plan

  variables {
    expire_days = 0
  }

  expect_failures = [var.expire_days]
}
