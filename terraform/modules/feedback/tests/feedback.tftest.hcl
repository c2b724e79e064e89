mock_provider "aws" {
  source = "../../mocks"
}

variables {
  erase_secret_arn       = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:erase-AbCdEf"
  name                   = "kindred-test"
  region                 = "eu-west-1"
  kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  image                  = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
  execution_role_arn     = "arn:aws:iam::123456789012:role/mock"
  lake_bucket            = { name = "lake", arn = "arn:aws:s3:::lake" }
  recommendations_bucket = { name = "recommendations", arn = "arn:aws:s3:::recommendations" }
  size                   = { cpu = 2048, memory_mib = 8192, storage_gib = 100 }
}

run "writes_its_findings_only" {
  command = plan

  assert {
    condition     = [for s in data.aws_iam_policy_document.this.statement : s.resources if contains(s.actions, "s3:PutObject")] == [toset(["arn:aws:s3:::lake/clicks/*", "arn:aws:s3:::lake/feedback/*", "arn:aws:s3:::lake/outcomes/*"])]
    error_message = "feedback writes interactions, clicks and outcomes and nothing else"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : !contains(s.actions, "s3:PutObject") || !contains(s.resources, "arn:aws:s3:::recommendations/recommendations/*")])
    error_message = "the records are read only"
  }
}
