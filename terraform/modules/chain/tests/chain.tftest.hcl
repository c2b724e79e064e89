mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "kindred-test"
  region      = "eu-west-1"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  etl_job     = { name = "j", arn = "arn:aws:glue:eu-west-1:123456789012:job/j" }
  tasks = {
    train   = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/train:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/train" }, role = { arn = "arn:aws:iam::123456789012:role/train" } }
    publish = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/publish:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/publish" }, role = { arn = "arn:aws:iam::123456789012:role/publish" } }
  }
  cluster            = { name = "c", arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/c" }
  execution_role_arn = "arn:aws:iam::123456789012:role/execution"
  failure_topic_arn  = "arn:aws:sns:eu-west-1:123456789012:t"
  subnet_ids         = ["subnet-1"]
  security_group_ids = { etl = "sg-1", feedback = "sg-2", train = "sg-3", publish = "sg-4" }
}

run "chain" {

  assert {
    condition     = alltrue([for k in ["Etl", "Train", "Publish"] : length(jsondecode(aws_sfn_state_machine.chain.definition).States[k].Retry) > 0 && contains(jsondecode(aws_sfn_state_machine.chain.definition).States[k].Catch[*].Next, "TellFailure")])
    error_message = "every step must be retried, and its failure reported"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.TellFailure.Next == "Failed"
    error_message = "a reported failure must fail the execution too"
  }

  assert {
    condition     = alltrue([for next in concat([jsondecode(aws_sfn_state_machine.chain.definition).StartAt], flatten([for s in values(jsondecode(aws_sfn_state_machine.chain.definition).States) : concat([try(s.Next, [])], try(s.Catch[*].Next, []))])) : contains(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), next)])
    error_message = "every step must lead to one that exists"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Train.Parameters.TaskDefinition == var.tasks.train.definition.arn && jsondecode(aws_sfn_state_machine.chain.definition).States.Publish.Parameters.TaskDefinition == var.tasks.publish.definition.arn
    error_message = "each step must run its own task"
  }
}

run "by_tasks" {

  variables {
    etl_job = null
    tasks = {
      etl      = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/etl:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/etl" }, role = { arn = "arn:aws:iam::123456789012:role/etl" } }
      feedback = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/feedback:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/feedback" }, role = { arn = "arn:aws:iam::123456789012:role/feedback" } }
      train    = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/train:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/train" }, role = { arn = "arn:aws:iam::123456789012:role/train" } }
      publish  = { definition = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/publish:1", arn_without_revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/publish" }, role = { arn = "arn:aws:iam::123456789012:role/publish" } }
    }
    public = true
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Etl.Parameters.TaskDefinition == var.tasks.etl.definition.arn && jsondecode(aws_sfn_state_machine.chain.definition).States.Etl.Next == "Feedback" && jsondecode(aws_sfn_state_machine.chain.definition).States.Feedback.Next == "Train"
    error_message = "etl is a task, and feedback comes between etl and train"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Feedback.Catch[0].Next == "TellFeedback" && jsondecode(aws_sfn_state_machine.chain.definition).States.TellFeedback.Next == "Train"
    error_message = "a failure of feedback is told, and does not keep the shop from training"
  }

  assert {
    condition     = alltrue([for name in ["Etl", "Feedback", "Train", "Publish"] : jsondecode(aws_sfn_state_machine.chain.definition).States[name].Parameters.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp == "ENABLED"])
    error_message = "each task gets a public address"
  }

  assert {
    condition     = !anytrue([for s in data.aws_iam_policy_document.chain.statement : contains(s.actions, "glue:StartJobRun")])
    error_message = "without a job, the chain may start none"
  }

  assert {
    condition     = length(setsubtract(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), flatten(regexall("\"(?:StartAt|Next|Default)\":\"(\\w+)\"", aws_sfn_state_machine.chain.definition)))) == 0
    error_message = "Step Functions refuses a step that none leads to"
  }
}

run "a_refused_model_is_an_answer" {

  assert {
    condition     = !contains(flatten(jsondecode(aws_sfn_state_machine.chain.definition).States.Publish.Retry[*].ErrorEquals), "States.TaskFailed") && jsondecode(aws_sfn_state_machine.chain.definition).States.Publish.Catch[0].Next == "AfterPublish"
    error_message = "what publish says with its exit code is not retried"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.ExitOfPublish.Choices[0].And[1].NumericEquals == 5 && jsondecode(aws_sfn_state_machine.chain.definition).States.ExitOfPublish.Choices[0].Next == "Refused" && jsondecode(aws_sfn_state_machine.chain.definition).States.Refused.Type == "Succeed"
    error_message = "exit code 5 ends the execution well: the alarm tells it once, not the chain every night"
  }

  assert {
    condition     = alltrue([for name in ["AfterPublish", "ExitOfPublish"] : jsondecode(aws_sfn_state_machine.chain.definition).States[name].Default == "TellFailure"])
    error_message = "any other failure of publish is one"
  }
}

run "refuses_two_etls" {
  command = plan

  variables {
    etl_job = null
  }

  expect_failures = [var.tasks]
}

run "without_spark" {

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Etl.Next == "Train" && !contains(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), "TrainOnSpark")
    error_message = "without a job nobody asks for the size"
  }

  assert {
    condition     = length(setsubtract(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), flatten(regexall("\"(?:StartAt|Next|Default)\":\"(\\w+)\"", aws_sfn_state_machine.chain.definition)))) == 0
    error_message = "Step Functions refuses a step that none leads to"
  }
}

run "by_size" {

  variables {
    spark = { job = { name = "s", arn = "arn:aws:glue:eu-west-1:123456789012:job/s" }, most_hours = 2.5 }
  }

  assert {
    condition     = alltrue([for next in concat([jsondecode(aws_sfn_state_machine.chain.definition).StartAt], flatten([for s in values(jsondecode(aws_sfn_state_machine.chain.definition).States) : concat([try(s.Next, [])], [try(s.Default, [])], try(s.Catch[*].Next, []), try(s.Choices[*].Next, []))])) : contains(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), next)])
    error_message = "every step must lead to one that exists"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Etl.Next == "Size" && jsondecode(aws_sfn_state_machine.chain.definition).States.Size.Parameters.Overrides.ContainerOverrides[0].Command == ["/train", "size", "--json", "--most-hours", "2.5"]
    error_message = "after etl, train must say how large the training is"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Size.Next == "Train" && jsondecode(aws_sfn_state_machine.chain.definition).States.ExitOfSize.Default == "Train" && jsondecode(aws_sfn_state_machine.chain.definition).States.Size.Catch[1].Next == "Train"
    error_message = "whatever happens to Size, but exit code 3, the task trains"
  }

  assert {
    condition     = !contains(flatten(jsondecode(aws_sfn_state_machine.chain.definition).States.Size.Retry[*].ErrorEquals), "States.TaskFailed")
    error_message = "exit code 3 is an answer, and is not retried"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.ExitOfSize.Choices[0].Next == "TrainOnSpark" && jsondecode(aws_sfn_state_machine.chain.definition).States.TrainOnSpark.Parameters.JobName == "s" && jsondecode(aws_sfn_state_machine.chain.definition).States.TrainOnSpark.Next == "Publish" && length(jsondecode(aws_sfn_state_machine.chain.definition).States.TrainOnSpark.Retry) > 0 && jsondecode(aws_sfn_state_machine.chain.definition).States.TrainOnSpark.Catch[0].Next == "TellFailure"
    error_message = "Spark trains what is too large, is retried, and its failure is reported"
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.chain.statement : s.resources if contains(s.actions, "glue:StartJobRun")]), "arn:aws:glue:eu-west-1:123456789012:job/s")
    error_message = "the chain must be allowed to start the job"
  }

  assert {
    condition     = length(setsubtract(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), flatten(regexall("\"(?:StartAt|Next|Default)\":\"(\\w+)\"", aws_sfn_state_machine.chain.definition)))) == 0
    error_message = "Step Functions refuses a step that none leads to"
  }
}

run "always_spark" {

  variables {
    spark = { job = { name = "s", arn = "arn:aws:glue:eu-west-1:123456789012:job/s" }, always = true }
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.chain.definition).States.Etl.Next == "TrainOnSpark"
    error_message = "always means that nobody asks for the size"
  }

  assert {
    condition     = length(setsubtract(keys(jsondecode(aws_sfn_state_machine.chain.definition).States), flatten(regexall("\"(?:StartAt|Next|Default)\":\"(\\w+)\"", aws_sfn_state_machine.chain.definition)))) == 0
    error_message = "Step Functions refuses a step that none leads to"
  }
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
