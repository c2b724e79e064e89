data "aws_caller_identity" "current" {}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "AlarmsPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "mail" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  # Defaults of an alarm. docs/runbooks.md has a section for each, which its text names.
  usual = { missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold", statistic = "Sum", period = 60, periods = 5, dimensions = {} }

  # lambdas/recommend/metrics.go writes the metrics of the namespace kindred.
  stream_alarms = {
    iterator-age = {
      description = "Records wait too long in the activity stream"
      namespace   = "AWS/Lambda", metric = "IteratorAge", statistic = "Maximum", threshold = var.iterator_age_seconds * 1000
      dimensions  = { FunctionName = var.function_name }
    }
    function-errors = {
      description = "The function recommend fails"
      namespace   = "AWS/Lambda", metric = "Errors", threshold = 5
      dimensions  = { FunctionName = var.function_name }
    }
    throttles = {
      description = "The activity stream needs more shards"
      namespace   = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", threshold = 10
      dimensions  = { StreamName = var.stream_name }
    }
    delivery-freshness = {
      description = "Firehose delivers late"
      namespace   = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", statistic = "Maximum", threshold = var.delivery_age_seconds, periods = 3
      dimensions  = { DeliveryStreamName = var.delivery_stream_name }
    }
    quarantine = {
      description = "Events were written to the quarantine"
      namespace   = "kindred", metric = "quarantined", threshold = 1, periods = 1
      dimensions  = { function = var.function_name }
    }
  }

  # Beside the stream's: what LocalStack's functions do not have.
  serve_alarms = { for name, alarm in {
    serve-errors = {
      description = "The function serve fails"
      namespace   = "AWS/Lambda", metric = "Errors", threshold = 5
      dimensions  = { FunctionName = var.serve_function_name }
    }
    serve-slow = {
      description = "Of the function serve's answers, one in a hundred takes two seconds or longer", statistic = "p99"
      namespace   = "AWS/Lambda", metric = "Duration", threshold = 2000
      dimensions  = { FunctionName = var.serve_function_name }
    }
    serve-throttled = {
      description = "Requests to serve are turned away, because too many of its instances run"
      namespace   = "AWS/Lambda", metric = "Throttles", threshold = 10
      dimensions  = { FunctionName = var.serve_function_name }
    }
    recommend-throttled = {
      description = "Batches of events wait, because too many instances of recommend run"
      namespace   = "AWS/Lambda", metric = "Throttles", threshold = 10
      dimensions  = { FunctionName = var.function_name }
    }
    events-dropped = {
      description = "Lambda gave up events and could not write them to the bucket of failed batches"
      namespace   = "AWS/Lambda", metric = "DestinationDeliveryFailures", threshold = 1, periods = 1
      dimensions  = { FunctionName = var.function_name }
    }
  } : name => alarm if var.serve_function_name != null }

  database_alarms = merge(flatten([for program, db in var.databases : {
    "${program}-storage" = {
      description = "The database ${program} has less than 2 GiB of free storage", comparison = "LessThanThreshold"
      namespace   = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Minimum", threshold = 2 * 1024 * 1024 * 1024, period = 300, periods = 3
      dimensions  = { DBInstanceIdentifier = db.identifier }
    }
    "${program}-memory" = {
      description = "The database ${program} has less than 64 MiB of free memory", comparison = "LessThanThreshold"
      namespace   = "AWS/RDS", metric = "FreeableMemory", statistic = "Average", threshold = 64 * 1024 * 1024, period = 300, periods = 3
      dimensions  = { DBInstanceIdentifier = db.identifier }
    }
    "${program}-connections" = {
      description = "The database ${program} has more than four fifths of the connections that it accepts"
      namespace   = "AWS/RDS", metric = "DatabaseConnections", statistic = "Maximum", threshold = floor(0.8 * db.most_connections)
      dimensions  = { DBInstanceIdentifier = db.identifier }
    }
    "${program}-credits" = {
      description = "The database ${program} has used up its CPU credits: it becomes slow, or costs more", comparison = "LessThanThreshold"
      namespace   = "AWS/RDS", metric = "CPUCreditBalance", statistic = "Minimum", threshold = 20, period = 300, periods = 3
      dimensions  = { DBInstanceIdentifier = db.identifier }
    }
  }])...)
  # Only classes that burst have credits.
  steady = toset([for program, db in var.databases : "${program}-credits" if !startswith(db.instance_class, "db.t")])

  chain_alarms = { for name, alarm in {
    chain-failed = {
      description = "The nightly chain failed"
      namespace   = "AWS/States", metric = "ExecutionsFailed", threshold = 1, periods = 1, period = 300
      dimensions  = { StateMachineArn = try(var.chain.arn, null) }
    }
    chain-timed-out = {
      description = "The nightly chain took too long and was ended"
      namespace   = "AWS/States", metric = "ExecutionsTimedOut", threshold = 1, periods = 1, period = 300
      dimensions  = { StateMachineArn = try(var.chain.arn, null) }
    }
    model-old = {
      description = "No chain succeeded for ${var.model_age_days} days: the live model is older", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = "AWS/States", metric = "ExecutionsSucceeded", threshold = 1, periods = var.model_age_days, period = 86400
      dimensions  = { StateMachineArn = try(var.chain.arn, null) }
    }
  } : name => alarm if var.chain != null }

  refused_alarms = { for name, alarm in {
    model-refused = {
      description = "The gate refused the last model: the one before stays live"
      namespace   = try(var.refused.namespace, null), metric = try(var.refused.name, null), threshold = 1, periods = 1, period = 86400
    }
  } : name => alarm if var.refused != null }

  catalogue_alarms = { for name, alarm in {
    catalogue-old = {
      description = "No publish catalogue succeeded in three intervals: stock and prices are older", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = try(var.catalogue.namespace, null), metric = try(var.catalogue.name, null), threshold = 1, periods = 3, period = try(var.catalogue.minutes * 60, null)
    }
  } : name => alarm if var.catalogue != null }

  decide_alarms = { for name, alarm in {
    decide-missing = {
      description = "No publish experiment decide succeeded for two days: a running experiment does not end", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = try(var.decide.namespace, null), metric = try(var.decide.name, null), threshold = 1, periods = 2, period = 86400
    }
  } : name => alarm if var.decide != null }

  erase_alarms = { for name, alarm in {
    erase-missing = {
      description = "No erase succeeded for two days: persons who were to be forgotten may still be there", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = try(var.erase.namespace, null), metric = try(var.erase.name, null), threshold = 1, periods = 2, period = 86400
    }
  } : name => alarm if var.erase != null }

  alarms = { for name, alarm in merge(local.stream_alarms, local.serve_alarms, local.database_alarms, local.chain_alarms, local.refused_alarms, local.catalogue_alarms, local.decide_alarms, local.erase_alarms) :
  name => merge(local.usual, alarm) if !contains(local.steady, name) }

  runbook = { for name in concat(keys(local.alarms), ["arm-fallbacks", "stream-unhealthy"]) : name => "What to do: ${var.runbooks}#${replace(name, "/^(source|vectors)-/", "database-")}" }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description}. ${local.runbook[each.key]}"
  comparison_operator = each.value.comparison
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  period              = each.value.period
  dimensions          = each.value.dimensions
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# While an experiment runs, package internal/serving/armmetric counts what the arms answer. A fallback is
# an answer that popularity gave, or the live version in place of the treatment.
locals {
  arm_metrics = { for m in setproduct(["control", "treatment"], ["answers", "fallbacks"]) :
  "${m[0]}_${m[1]}" => { arm = m[0], metric = "arm_${m[1]}" } }
}

resource "aws_cloudwatch_metric_alarm" "arm" {
  for_each = var.arm_functions

  alarm_name          = "${var.name}-arm-fallbacks-${each.key}"
  alarm_description   = "The function ${each.key} gives fallbacks in ${var.arm_fallback_points} points more of the treatment's answers than of the control's. ${local.runbook["arm-fallbacks"]}"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.arm_fallback_points
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "points"
    label       = "points"
    expression  = "IF(control_answers >= 100 AND treatment_answers >= 100, 100 * treatment_fallbacks / treatment_answers - 100 * control_fallbacks / control_answers, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.arm_metrics

    content {
      id = metric_query.key

      metric {
        namespace   = "kindred"
        metric_name = metric_query.value.metric
        stat        = "Sum"
        period      = 3600
        dimensions  = { function = each.value, arm = metric_query.value.arm }
      }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "stream" {
  count = var.composite_alarm ? 1 : 0

  alarm_name        = "${var.name}-stream-unhealthy"
  alarm_description = "Recommendations are late or missing. ${local.runbook["stream-unhealthy"]}"
  alarm_actions     = [aws_sns_topic.alarms.arn]
  alarm_rule        = join(" OR ", [for k in ["iterator-age", "function-errors", "delivery-freshness"] : "ALARM(\"${aws_cloudwatch_metric_alarm.this[k].alarm_name}\")"])
}
