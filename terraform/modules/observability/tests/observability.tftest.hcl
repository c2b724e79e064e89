mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                 = "kindred-test"
  region               = "eu-west-1"
  function_name        = "f"
  stream_name          = "s"
  delivery_stream_name = "d"
  chain                = { arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:mock" }
}

run "alarms" {

  assert {
    condition     = length(setsubtract(["iterator-age", "quarantine", "delivery-freshness", "chain-failed", "model-old"], keys(aws_cloudwatch_metric_alarm.this))) == 0
    error_message = "every way to fail has its alarm"
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : length(a.alarm_actions) == 1])
    error_message = "every alarm tells the topic"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["model-old"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["model-old"].evaluation_periods == 3
    error_message = "no chain at all is an old model"
  }
}

run "each_alarm_says_what_to_do" {
  command = plan

  variables {
    serve_function_name = "v"
    databases = {
      vectors = { identifier = "small", instance_class = "db.t4g.micro", most_connections = 75 }
      source  = { identifier = "large", instance_class = "db.m8g.large", most_connections = 600 }
    }
    refused  = { namespace = "kindred", name = "refused" }
    runbooks = "https://shop.example/runbooks"
  }

  assert {
    condition     = alltrue([for name, a in aws_cloudwatch_metric_alarm.this : endswith(a.alarm_description, "What to do: https://shop.example/runbooks#${replace(name, "/^(source|vectors)-/", "database-")}")])
    error_message = "the text of an alarm names its section"
  }

  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.this), "vectors-credits") && !contains(keys(aws_cloudwatch_metric_alarm.this), "source-credits")
    error_message = "only classes that burst have credits"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["vectors-connections"].threshold == 60
    error_message = "there must be time to do something before the connections are used up"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["serve-slow"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["serve-slow"].statistic == null
    error_message = "a percentile is an extended statistic"
  }

  assert {
    condition     = length(setsubtract(["serve-errors", "events-dropped", "recommend-throttled", "chain-timed-out", "model-refused", "source-storage", "source-memory"], keys(aws_cloudwatch_metric_alarm.this))) == 0
    error_message = "every way to fail has its alarm"
  }
}

run "a_row_for_each_program" {

  variables {
    serve_function_name = "v"
    databases = {
      vectors = { identifier = "small", instance_class = "db.t4g.micro", most_connections = 75 }
      source  = { identifier = "large", instance_class = "db.m8g.large", most_connections = 600 }
    }
    erase         = { namespace = "kindred", name = "kindred-test-erases" }
    jobs          = { cluster = "c", families = ["kindred-test-train"] }
    arm_functions = { recommend = "f", serve = "v" }
  }

  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : w.properties.markdown if w.type == "text"] == ["## Stream", "## recommend", "## serve", "## Jobs", "## Databases", "## Experiments"]
    error_message = "each program has its row"
  }

  assert {
    condition     = length(distinct([for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : "${w.x} ${w.y}"])) == length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets)
    error_message = "no widget covers another"
  }

  assert {
    condition     = alltrue([for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : length(w.properties.metrics) > 0 && w.properties.title != "" if w.type == "metric"])
    error_message = "each widget has a title and shows something"
  }

  assert {
    condition     = one([for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [for m in w.properties.metrics : m[3]] if try(w.properties.title, "") == "CPU credits"]) == ["small"]
    error_message = "only classes that burst have credits"
  }
}

run "rows_of_the_local_stack" {

  variables {
    chain           = null
    composite_alarm = false
  }

  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : w.properties.markdown if w.type == "text"] == ["## Stream", "## recommend"]
    error_message = "what there is not has no row"
  }
}

run "without_chain" {
  command = plan

  variables {
    chain           = null
    composite_alarm = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 5 && length(aws_cloudwatch_composite_alarm.stream) == 0
    error_message = "the local stack has no chain"
  }
}

run "refuses_an_old_model" {
  command = plan

  variables {
    model_age_days = 8
  }

  expect_failures = [var.model_age_days]
}

run "refuses_no_address" {
  command = plan

  variables {
    alarm_emails = ["nobody"]
  }

  expect_failures = [var.alarm_emails]
}

run "an_experiment_that_nobody_decides" {
  variables {
    decide = { namespace = "kindred", name = "kindred-test-decides" }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["decide-missing"].period * aws_cloudwatch_metric_alarm.this["decide-missing"].evaluation_periods == 172800 && aws_cloudwatch_metric_alarm.this["decide-missing"].treat_missing_data == "breaching"
    error_message = "two days without a run that succeeded are an alarm"
  }
}

run "nobody_erases" {
  variables {
    erase = { namespace = "kindred", name = "kindred-test-erases" }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["erase-missing"].period * aws_cloudwatch_metric_alarm.this["erase-missing"].evaluation_periods == 172800 && aws_cloudwatch_metric_alarm.this["erase-missing"].treat_missing_data == "breaching"
    error_message = "two days without a run that succeeded are an alarm"
  }
}

run "an_arm_that_falls_back" {
  variables {
    arm_functions = { recommend = "kindred-test-recommend", serve = "kindred-test-serve" }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.arm) == 2 && toset(flatten([for q in aws_cloudwatch_metric_alarm.arm["serve"].metric_query : [for m in q.metric : "${m.dimensions.function} ${m.dimensions.arm}"]])) == toset(["kindred-test-serve control", "kindred-test-serve treatment"])
    error_message = "the alarm of each function compares its own two arms"
  }

  assert {
    condition     = [for q in aws_cloudwatch_metric_alarm.arm["serve"].metric_query : q.id if q.return_data == true] == ["points"]
    error_message = "one query decides"
  }
}

run "refuses_an_alarm_of_nothing" {
  command = plan

  variables {
    arm_fallback_points = 0
  }

  expect_failures = [var.arm_fallback_points]
}

run "a_catalogue_that_fails" {
  variables {
    catalogue = { namespace = "kindred", name = "kindred-test-catalogues", minutes = 5 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["catalogue-old"].period == 300 && aws_cloudwatch_metric_alarm.this["catalogue-old"].treat_missing_data == "breaching"
    error_message = "runs that fail, or do not come, are an alarm"
  }
}
