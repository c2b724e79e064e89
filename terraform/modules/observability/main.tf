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
  # lambdas/recommend/metrics.go writes the metrics of the namespace kindred.
  stream_alarms = {
    iterator-age = {
      description = "Records wait too long in the activity stream", missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold"
      namespace   = "AWS/Lambda", metric = "IteratorAge", statistic = "Maximum", threshold = var.iterator_age_seconds * 1000, periods = 5, period = 60
      dimensions  = { FunctionName = var.function_name }
    }
    function-errors = {
      description = "The function recommend fails", missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold"
      namespace   = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 5, periods = 5, period = 60
      dimensions  = { FunctionName = var.function_name }
    }
    throttles = {
      description = "The activity stream needs more shards", missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold"
      namespace   = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", statistic = "Sum", threshold = 10, periods = 5, period = 60
      dimensions  = { StreamName = var.stream_name }
    }
    delivery-freshness = {
      description = "Firehose delivers late", missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold"
      namespace   = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", statistic = "Maximum", threshold = var.delivery_age_seconds, periods = 3, period = 60
      dimensions  = { DeliveryStreamName = var.delivery_stream_name }
    }
    quarantine = {
      description = "Events were written to the quarantine", missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold"
      namespace   = "kindred", metric = "quarantined", statistic = "Sum", threshold = 1, periods = 1, period = 60
      dimensions  = { function = var.function_name }
    }
  }

  chain_alarms = var.chain == null ? {} : {
    chain-failed = {
      description = "The nightly chain failed", missing = "notBreaching", comparison = "GreaterThanOrEqualToThreshold"
      namespace   = "AWS/States", metric = "ExecutionsFailed", statistic = "Sum", threshold = 1, periods = 1, period = 300
      dimensions  = { StateMachineArn = var.chain.arn }
    }
    model-old = {
      description = "No chain succeeded for ${var.model_age_days} days: the live model is older", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = "AWS/States", metric = "ExecutionsSucceeded", statistic = "Sum", threshold = 1, periods = var.model_age_days, period = 86400
      dimensions  = { StateMachineArn = var.chain.arn }
    }
  }

  catalogue_alarms = var.catalogue == null ? {} : {
    catalogue-old = {
      description = "No publish catalogue succeeded in three intervals: stock and prices are older", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = var.catalogue.namespace, metric = var.catalogue.name, statistic = "Sum", threshold = 1, periods = 3, period = var.catalogue.minutes * 60
      dimensions  = {}
    }
  }

  decide_alarms = var.decide == null ? {} : {
    decide-missing = {
      description = "No publish experiment decide succeeded for two days: a running experiment does not end", missing = "breaching", comparison = "LessThanThreshold"
      namespace   = var.decide.namespace, metric = var.decide.name, statistic = "Sum", threshold = 1, periods = 2, period = 86400
      dimensions  = {}
    }
  }

  alarms = merge(local.stream_alarms, local.chain_alarms, local.catalogue_alarms, local.decide_alarms)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = each.value.comparison
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
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
  alarm_description   = "The function ${each.key} gives fallbacks in ${var.arm_fallback_points} points more of the treatment's answers than of the control's"
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
  alarm_description = "Recommendations are late or missing"
  alarm_actions     = [aws_sns_topic.alarms.arn]
  alarm_rule        = join(" OR ", [for k in ["iterator-age", "function-errors", "delivery-freshness"] : "ALARM(\"${aws_cloudwatch_metric_alarm.this[k].alarm_name}\")"])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for i, k in sort(keys(local.alarms)) : {
        type   = "metric"
        x      = (i % 2) * 12
        y      = floor(i / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = local.alarms[k].description
          region  = var.region
          stat    = local.alarms[k].statistic
          period  = local.alarms[k].period
          metrics = [concat([local.alarms[k].namespace, local.alarms[k].metric], flatten([for d, v in local.alarms[k].dimensions : [d, v]]))]
        }
      }
    ]
  })
}
