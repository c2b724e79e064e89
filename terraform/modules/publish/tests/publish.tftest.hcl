mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "kindred-test"
  region             = "eu-west-1"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
  execution_role_arn = "arn:aws:iam::123456789012:role/mock"
  artifacts_bucket   = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
  vector_database    = { dsn = "postgres://h:5432/kindred?sslmode=verify-full", username = "kindred", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s", reader = "recommend", writer = "recommend_writer" }
}

run "only_reads_the_bucket" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : !contains(s.actions, "s3:PutObject")])
    error_message = "publish writes to the vector database only"
  }
}

run "refuses_a_password" {
  command = plan

  variables {
    vector_database = { dsn = "postgres://u:p@h/d", username = "u", secret_arn = "s", reader = "r", writer = "w" }
  }

  expect_failures = [var.vector_database]
}
