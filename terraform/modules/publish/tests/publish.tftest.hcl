mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "kindred-test"
  region             = "eu-west-1"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
  execution_role_arn = "arn:aws:iam::123456789012:role/mock"
  lake_bucket        = { name = "lake", arn = "arn:aws:s3:::lake" }
  artifacts_bucket   = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
  vector_database    = { dsn = "postgres://h:5432/kindred?sslmode=verify-full", username = "kindred", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s", reader = "recommend", writer = "recommend_writer" }
}

run "only_reads_the_buckets" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : !contains(s.actions, "s3:PutObject")])
    error_message = "publish writes to the vector database only"
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "ReadOutcomes"][0] == toset(["arn:aws:s3:::lake/outcomes/*"])
    error_message = "of the lake, publish reads the outcomes of experiments only"
  }
}

run "refuses_a_password" {
  command = plan

  variables {
    vector_database = { dsn = "postgres://u:p@h/d", username = "u", secret_arn = "s", reader = "r", writer = "w" }
  }

  expect_failures = [var.vector_database]
}

run "knows_no_shop_by_itself" {
  command = plan

  assert {
    condition     = length(local.source) == 0 && !contains(flatten([for s in data.aws_iam_policy_document.this.statement : s.actions]), "secretsmanager:GetSecretValue")
    error_message = "without a catalogue, publish may not read the shop's password"
  }
}

run "reads_the_catalogue" {
  command = plan

  variables {
    source_database = { host = "mysql.example", port = 3306, name = "shop", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:m", secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/m" }
    shop            = { name = "books", preset = "woocommerce", live_version = "x" }
  }

  assert {
    condition     = local.source["MYSQL_DSN"] == "tcp(mysql.example:3306)/shop?tls=true" && local.source["SHOP_NAME"] == "books" && local.source["ETL_PRESET"] == "woocommerce" && local.source["ETL_LIVE_VERSION"] == "x"
    error_message = "the task must find the shop as etl does"
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "ReadSourcePassword"][0] == toset(["arn:aws:secretsmanager:eu-west-1:123456789012:secret:m"])
    error_message = "it may read the shop's own password"
  }
}

run "refuses_a_mapping_file" {
  command = plan

  variables {
    source_database = { host = "mysql.example", port = 3306, name = "shop", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:m" }
    shop            = { mapping_path = "/shop.sql" }
  }

  expect_failures = [var.shop]
}
