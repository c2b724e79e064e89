mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name              = "kindred-test"
  region            = "eu-west-1"
  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  programs          = ["train", "publish"]
  image_tag         = "0123456789ab"
  vector_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s"
}

run "keeps_each_image" {

  assert {
    condition     = aws_ecr_repository.batch.image_tag_mutability == "IMMUTABLE" && endswith(output.image, ":0123456789ab")
    error_message = "a tag must keep its image"
  }

  assert {
    condition = [for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "Logs"] == [toset([
      "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/kindred-test-train:*",
      "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/kindred-test-publish:*",
    ])]
    error_message = "ECS must be able to write each program's log"
  }
}

run "refuses_latest" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}
