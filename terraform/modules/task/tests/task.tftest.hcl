mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "kindred-test"
  program            = "publish"
  region             = "eu-west-1"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
  execution_role_arn = "arn:aws:iam::123456789012:role/mock"
  policy             = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  size               = { cpu = 512, memory_mib = 2048, storage_gib = 21 }
  environment        = { PGUSER = "kindred" }
  secrets            = { PGPASSWORD = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s:password::" }
}

run "closed" {

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].user == "65532:65532"
    error_message = "a program must not write to its image, and must not run as root"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].command == ["/publish", "--json"]
    error_message = "the task must run its program"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets == [{ name = "PGPASSWORD", valueFrom = var.secrets.PGPASSWORD }]
    error_message = "a secret must be referenced by its ARN"
  }
}

run "sessions" {
  command = plan

  variables {
    exec   = true
    labels = { "kindred.tunnel" = "{}" }
  }

  assert {
    condition     = !jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].linuxParameters.initProcessEnabled
    error_message = "the agent of ECS Exec writes files, and leaves processes behind"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].dockerLabels == { "kindred.tunnel" = "{}" }
    error_message = "the container must have its labels"
  }
}

run "refuses_odd_cpu" {
  command = plan

  variables {
    size = { cpu = 1000, memory_mib = 2048, storage_gib = 21 }
  }

  expect_failures = [var.size]
}

run "refuses_little_storage" {
  command = plan

  variables {
    size = { cpu = 512, memory_mib = 2048, storage_gib = 20 }
  }

  expect_failures = [var.size]
}
