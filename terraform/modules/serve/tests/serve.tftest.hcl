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
}
