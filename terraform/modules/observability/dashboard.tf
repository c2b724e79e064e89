# The dashboard: a row for each program, with a title. A widget shows metrics that something writes under
# exactly these dimensions (rule alarm-metric of terraform/rules).

locals {
  of_recommend = ["FunctionName", var.function_name]
  of_stream    = ["StreamName", var.stream_name]
  of_delivery  = ["DeliveryStreamName", var.delivery_stream_name]

  stream_row = {
    title = "Stream"
    widgets = [
      { title = "Events in, answers out", stat = "Sum", metrics = [
        concat(["AWS/Kinesis", "IncomingRecords"], local.of_stream), concat(["AWS/Firehose", "DeliveryToS3.Records"], local.of_delivery),
      ] },
      { title = "Oldest event that waits, ms", stat = "Maximum", metrics = [concat(["AWS/Lambda", "IteratorAge"], local.of_recommend)] },
      { title = "Oldest answer that waits, s", stat = "Maximum", metrics = [concat(["AWS/Firehose", "DeliveryToS3.DataFreshness"], local.of_delivery)] },
      { title = "Turned away", stat = "Sum", metrics = [
        concat(["AWS/Kinesis", "WriteProvisionedThroughputExceeded"], local.of_stream), concat(["AWS/Firehose", "ThrottledRecords"], local.of_delivery),
      ] },
    ]
  }

  # lambdas/recommend/metrics.go
  recommend_row = {
    title = "recommend"
    widgets = [
      { title = "Events", stat = "Sum", metrics = [for name in ["events", "recommended", "retried", "quarantined"] : ["kindred", name, "function", var.function_name]] },
      { title = "What answers are made from", stat = "Sum", metrics = [for name in ["session", "customer", "features", "popularity", "state"] : ["kindred", "source_${name}", "function", var.function_name]] },
      { title = "Not known to the model", stat = "Sum", metrics = [for name in ["unknown_products", "unknown_customers", "canary_failed"] : ["kindred", name, "function", var.function_name]] },
      { title = "A batch, ms", stat = "p99", metrics = [for name in ["parse_ms", "recommend_ms", "deliver_ms", "duration_ms"] : ["kindred", name, "function", var.function_name]] },
      { title = "Failures", stat = "Sum", metrics = [for name in ["Errors", "Throttles", "DestinationDeliveryFailures"] : concat(["AWS/Lambda", name], local.of_recommend)] },
      { title = "Instances", stat = "Maximum", metrics = [concat(["AWS/Lambda", "ConcurrentExecutions"], local.of_recommend)] },
    ]
  }

  serve_rows = [for function in compact([var.serve_function_name]) : {
    title = "serve"
    widgets = [
      { title = "Requests and failures", stat = "Sum", metrics = [for name in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", name, "FunctionName", function]] },
      { title = "An answer, ms", stat = "p99", metrics = [["AWS/Lambda", "Duration", "FunctionName", function]] },
      { title = "Instances", stat = "Maximum", metrics = [["AWS/Lambda", "ConcurrentExecutions", "FunctionName", function]] },
    ]
  }]

  # Metrics of log lines have no dimensions: their names are the environment's.
  job_runs = compact([for metric in [var.refused, var.catalogue, var.decide, var.rollup, var.erase] : try(metric.name, "")])

  job_rows = [for chain in var.chain == null ? [] : [var.chain] : {
    title = "Jobs"
    widgets = concat([
      { title = "Chain", stat = "Sum", metrics = [for name in ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"] : ["AWS/States", name, "StateMachineArn", chain.arn]] },
      { title = "Chain, ms", stat = "Maximum", metrics = [["AWS/States", "ExecutionTime", "StateMachineArn", chain.arn]] },
      ],
      [for names in length(local.job_runs) == 0 ? [] : [local.job_runs] : { title = "Runs that succeeded, and refused models", stat = "Sum", metrics = [for name in names : ["kindred", name]] }],
      [for jobs in var.jobs == null ? [] : [var.jobs] : { title = "Memory, MiB", stat = "Maximum", metrics = [for family in jobs.families : ["ECS/ContainerInsights", "MemoryUtilized", "ClusterName", jobs.cluster, "TaskDefinitionFamily", family]] }],
    )
  }]

  database_rows = [for databases in length(var.databases) == 0 ? [] : [var.databases] : {
    title = "Databases"
    widgets = [for chart in [
      { title = "CPU, %", metric = "CPUUtilization", stat = "Average" },
      { title = "CPU credits", metric = "CPUCreditBalance", stat = "Minimum" },
      { title = "Connections", metric = "DatabaseConnections", stat = "Maximum" },
      { title = "Free memory, bytes", metric = "FreeableMemory", stat = "Minimum" },
      { title = "Free storage, bytes", metric = "FreeStorageSpace", stat = "Minimum" },
      { title = "Disk queue", metric = "DiskQueueDepth", stat = "Maximum" },
      ] : { title = chart.title, stat = chart.stat, metrics = [for name, db in databases : ["AWS/RDS", chart.metric, "DBInstanceIdentifier", db.identifier] if chart.metric != "CPUCreditBalance" || !contains(local.steady, "${name}-credits")] }
    if chart.metric != "CPUCreditBalance" || length(local.steady) < length(databases)]
  }]

  experiment_rows = [for functions in length(var.arm_functions) == 0 ? [] : [var.arm_functions] : {
    title = "Experiments"
    widgets = [for chart in [{ title = "Answers by arm", metric = "arm_answers" }, { title = "Fallbacks by arm", metric = "arm_fallbacks" }] : {
      title = chart.title, stat = "Sum", metrics = [for m in setproduct(values(functions), ["control", "treatment"]) : ["kindred", chart.metric, "arm", m[1], "function", m[0]]]
    }]
  }]

  rows = concat([local.stream_row, local.recommend_row], local.serve_rows, local.job_rows, local.database_rows, local.experiment_rows)

  # A row is its title and its widgets, three beside each other. It begins below the rows before it.
  per_line = 3
  begins   = [for i in range(length(local.rows)) : sum(concat([0], [for row in slice(local.rows, 0, i) : 1 + 6 * ceil(length(row.widgets) / local.per_line)]))]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat([for r, row in local.rows : concat(
      [{ type = "text", x = 0, y = local.begins[r], width = 24, height = 1, properties = { markdown = "## ${row.title}" } }],
      [for w, widget in row.widgets : {
        type       = "metric"
        x          = w % local.per_line * 8
        y          = local.begins[r] + 1 + floor(w / local.per_line) * 6
        width      = 8
        height     = 6
        properties = { title = widget.title, region = var.region, stat = widget.stat, period = 300, metrics = widget.metrics }
      }]
    )]...)
  })
}
