mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name              = "kindred-test"
  region            = "eu-west-1"
  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  lake_bucket       = { name = "lake", arn = "arn:aws:s3:::lake" }
  artifacts_bucket  = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
  vector_database   = { dsn = "postgres://h:5432/kindred?sslmode=verify-full", username = "kindred", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s", reader = "recommend" }
  etl_job           = { name = "j", arn = "arn:aws:glue:eu-west-1:123456789012:job/j" }
  failure_topic_arn = "arn:aws:sns:eu-west-1:123456789012:t"
  subnet_ids        = ["subnet-1"]
  security_group_id = "sg-1"
  image_tag         = "0123456789ab"
}

run "chain" {

  assert {
    condition     = alltrue([for d in aws_ecs_task_definition.program : jsondecode(d.container_definitions)[0].readonlyRootFilesystem])
    error_message = "programs must not write to their image"
  }

  assert {
    condition     = alltrue([for d in aws_ecs_task_definition.program : alltrue([for e in jsondecode(d.container_definitions)[0].environment : !strcontains(e.name, "PASSWORD")])])
    error_message = "a password is a secret, not a variable"
  }

  assert {
    condition     = alltrue([for k in ["Etl", "Train", "Publish"] : length(jsondecode(aws_sfn_state_machine.chain.definition).States[k].Retry) > 0 && jsondecode(aws_sfn_state_machine.chain.definition).States[k].Catch[0].Next == "TellFailure"])
    error_message = "every step is tried again, and its failure told"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.TellFailure.Next == "Failed"
    error_message = "a told failure must fail the execution too"
  }

  assert {
    condition     = alltrue([for next in concat([jsondecode(aws_sfn_state_machine.chain.definition).StartAt], flatten([for s in values(jsondecode(aws_sfn_state_machine.chain.definition).States) : concat([try(s.Next, [])], try(s.Catch[*].Next, []))])) : contains(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), next)])
    error_message = "every step must lead to one that exists"
  }

  assert {
    condition     = aws_ecr_repository.batch.image_tag_mutability == "IMMUTABLE"
    error_message = "a tag must keep its image"
  }
}

run "refuses_latest" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "refuses_odd_cpu" {
  command = plan

  variables {
    train = { cpu = 1000 }
  }

  expect_failures = [var.train]
}

run "refuses_a_password" {
  command = plan

  variables {
    vector_database = { dsn = "postgres://u:p@h/d", username = "u", secret_arn = "s", reader = "r" }
  }

  expect_failures = [var.vector_database]
}

run "refuses_a_bad_schedule" {
  command = plan

  variables {
    schedule = "30 2 * * *"
  }

  expect_failures = [var.schedule]
}

run "refuses_no_time" {
  command = plan

  variables {
    program_timeout_minutes = 0
  }

  expect_failures = [var.program_timeout_minutes]
}
