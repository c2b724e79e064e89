package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	alarm = "aws_cloudwatch_metric_alarm"
	watch = docs + "AmazonCloudWatch/latest/monitoring/"
	alAPI = docs + "AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"
)

// Emitted are the metrics that kindred's programs write, by name, with the names of their dimensions,
// sorted. A test compares it with what they write.
func Emitted() map[string][]string {
	emitted := map[string][]string{}
	for _, name := range []string{"events", "recommended", "quarantined", "retried", "other_shop", "canary_failed",
		"unknown_products",
		"unknown_customers", "duration_ms", "parse_ms", "recommend_ms", "deliver_ms", "quarantine_ms", "source_session",
		"source_customer",
		"source_features", "source_popularity", "source_state", "iterator_age_ms"} {
		emitted[name] = []string{"function"}
	}
	for _, name := range []string{"arm_answers", "arm_fallbacks"} { // of package internal/serving/armmetric
		emitted[name] = []string{"arm", "function"}
	}
	return emitted
}

// metrics are the metrics of AWS that an alarm may watch, by namespace, with the names of the dimensions
// under which AWS writes them.
func metrics() map[string]map[string][]string {
	by := func(dimension string, names ...string) map[string][]string {
		all := map[string][]string{}
		for _, name := range names {
			all[name] = []string{dimension}
		}
		return all
	}
	return map[string]map[string][]string{
		"AWS/Lambda": by("FunctionName", "Errors", "Throttles", "Invocations", "Duration", "IteratorAge",
			"ConcurrentExecutions", "DeadLetterErrors", "DestinationDeliveryFailures", "Url5xxCount", "Url4xxCount",
			"UrlRequestCount", "UrlRequestLatency"),
		"AWS/Kinesis": by("StreamName", "WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded",
			"GetRecords.IteratorAgeMilliseconds", "IncomingRecords", "IncomingBytes", "PutRecords.ThrottledRecords",
			"PutRecords.FailedRecords"),
		"AWS/Firehose": by("DeliveryStreamName", "DeliveryToS3.DataFreshness", "DeliveryToS3.Success",
			"DeliveryToS3.Records", "ThrottledRecords", "IncomingRecords", "KMSKeyAccessDenied"),
		"AWS/States": by("StateMachineArn", "ExecutionsFailed", "ExecutionsSucceeded", "ExecutionsTimedOut",
			"ExecutionsAborted", "ExecutionThrottled", "ExecutionTime", "ExecutionsStarted"),
		"AWS/RDS": by("DBInstanceIdentifier", "CPUUtilization", "FreeStorageSpace", "FreeableMemory",
			"DatabaseConnections", "CPUCreditBalance", "CPUSurplusCreditBalance", "ReplicaLag", "ReadLatency",
			"WriteLatency", "DiskQueueDepth", "SwapUsage"),
		"AWS/Scheduler": by("ScheduleGroup", "TargetErrorCount", "InvocationDroppedCount", "TargetErrorThrottledCount"),
		"ECS/ContainerInsights": {"MemoryUtilized": {"ClusterName", "TaskDefinitionFamily"},
			"CpuUtilized": {"ClusterName", "TaskDefinitionFamily"}},
		"kindred": Emitted(),
	}
}

// alarmRules are about CloudWatch's alarms, and the topic that they tell.
func alarmRules() []Rule {
	return []Rule{{
		Name: "alarm-metric", Source: watch + "aws-services-cloudwatch-metrics.html",
		Says: "An alarm watches, and a dashboard shows, a metric under exactly the dimensions with which it is written; " +
			"otherwise there is no data",
		Do: "correct metric_name, namespace or dimensions", Check: alarmMetrics,
	}, {
		Name: "alarm-target", Source: watch + "cloudwatch_concepts.html#Dimension",
		Says: "A metric's dimensions say whose it is: an alarm of a name that does not exist sees no data, and one that " +
			"all environments write sees them all",
		Do: "name a resource of this environment in the dimension, or in the metric's name", Check: alarmTargets,
	}, {
		Name: "alarm-window", Source: alAPI,
		Says: "Period times EvaluationPeriods is at most 7 days for periods of an hour or more, and a day for shorter " +
			"ones; a period is 10, 20, 30 or a multiple of 60 s",
		Do: "shorten the period or the number of periods", Check: each(alarm, alarmWindow),
	}, {
		Name: "alarm-actions", Source: docs + "sns/latest/dg/sns-key-management.html",
		Says: "CloudWatch publishes to an encrypted topic only if the topic's policy lets it publish, and the key's " +
			"policy lets it decrypt and generate data keys",
		Do: "name cloudwatch.amazonaws.com in both policies, and the topic in the alarm's actions", Check: alarmActions,
	}, {
		Name: "alarm-math", Source: docs + "AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html",
		Says: "Of an alarm's queries exactly one returns data; an id begins with a lower-case letter; an expression names " +
			"ids of the same alarm",
		Do: "correct the metric_query blocks", Check: each(alarm, alarmMath),
	}, {
		Name: "alarm-composite", Source: watch + "Create_Composite_Alarm.html",
		Says: "A composite alarm names alarms that exist, and at most 100 of them", Do: "correct alarm_rule",
		Check: composites,
	}, {
		Name: "alarm-missing-data", Source: watch + "alarms-and-missing-data.html",
		Says: "Missing data is missing, ignore, breaching or notBreaching; breaching is for metrics that must come",
		Do:   "set treat_missing_data", Check: oneOf(alarm, "treat_missing_data", "breaching", "notBreaching", "ignore",
			"missing"),
	}, {
		Name: "alarm-operator", Source: alAPI,
		Says: "ComparisonOperator and Statistic have fixed words",
		Do:   "correct the word",
		Check: both(oneOf(alarm, "comparison_operator", "GreaterThanOrEqualToThreshold", "GreaterThanThreshold",
			"LessThanThreshold", "LessThanOrEqualToThreshold"), oneOf(alarm, "statistic", "SampleCount", "Average", "Sum",
			"Minimum", "Maximum")),
	}, {
		Name:   "dashboard-body",
		Source: docs + "AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html",
		Says:   "A widget has a type, a region and metrics; x + width is at most 24", Do: "correct the dashboard's body",
		Check: dashboards,
	}, {
		Name: "metric-filter", Source: docs + "AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html",
		Says:  "A metric filter counts lines of a log group that match; its namespace must not begin with AWS/",
		Do:    "name a log group of the plan, and an own namespace",
		Check: metricFilters,
	}}
}

// watched are the alarms of one metric, the metrics with which the other alarms compute, and those of dashboards.
func watched(p *Plan) (all []Resource) {
	for _, x := range p.Of(alarm) {
		queries := x.Blocks("metric_query")
		if len(queries) == 0 {
			all = append(all, x)
		}
		for _, q := range queries {
			for _, m := range q.Blocks("metric") {
				all = append(all, Resource{x.Address + " " + q.Text("id"), x.Type, m.Values})
			}
		}
	}
	for _, x := range p.Of("aws_cloudwatch_dashboard") {
		all = append(all, x.shown()...)
	}
	return all
}

// dashboard is the body of one.
type dashboard struct {
	Widgets []struct {
		Type                string
		X, Y, Width, Height int
		Properties          struct {
			Region, Title, Markdown string
			Metrics                 [][]any // namespace, name, and each dimension's name and value
		}
	}
}

// shown are the metrics of a dashboard, each as an alarm would name it.
func (x Resource) shown() (all []Resource) {
	var body dashboard
	x.decode("dashboard_body", &body)
	for _, w := range body.Widgets {
		for _, m := range w.Properties.Metrics {
			values, dimensions := map[string]any{}, map[string]any{}
			for i, part := range m {
				switch name, _ := m[i-i%2].(string); {
				case i < 2:
					values[[]string{"namespace", "metric_name"}[i]] = part
				case i%2 == 1:
					dimensions[name] = part
				}
			}
			values["dimensions"] = dimensions
			all = append(all, Resource{x.Address + " " + w.Properties.Title, x.Type, values})
		}
	}
	return all
}

func alarmMath(x Resource, r *Report) {
	queries, returned, ids := x.Blocks("metric_query"), 0, map[string]bool{}
	for _, q := range queries {
		ids[q.Text("id")] = true
		r.hold(regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`).MatchString(q.Text("id")), x, "a query has the id %q", q.Text("id"))
		if q.True("return_data") {
			returned++
		}
	}
	r.hold(len(queries) == 0 || returned == 1, x, "%d queries return data", returned)
	for _, q := range queries {
		for _, name := range regexp.MustCompile(`\b[a-z][a-zA-Z0-9_]*\b`).FindAllString(q.Text("expression"), -1) {
			r.hold(ids[name], x, "%s computes with %s, which is none of its queries", q.Text("id"), name)
		}
	}
}

func alarmMetrics(p *Plan, r *Report) {
	filtered := map[string]bool{}
	for _, x := range p.Of("aws_cloudwatch_log_metric_filter") {
		filtered[x.Text("metric_transformation.0.namespace")+" "+x.Text("metric_transformation.0.name")] = true
	}
	for _, x := range watched(p) {
		namespace, name := x.Text("namespace"), x.Text("metric_name")
		given, _ := x.at("dimensions").(map[string]any)
		wanted, known := metrics()[namespace][name]
		if filtered[namespace+" "+name] {
			wanted, known = nil, true
		}
		r.hold(known, x, "no program and no service is known to write %s %s", namespace, name)
		if known {
			got := slices.Sorted(maps.Keys(given))
			r.hold(slices.Equal(got, wanted), x, "%s %s has the dimensions %v, not %v", namespace, name, wanted, got)
		}
	}
}

// alarmTargets checks that each dimension's value names a resource of the plan.
func alarmTargets(p *Plan, r *Report) {
	named := map[string][2]string{"FunctionName": {function, "function_name"}, "function": {function,
		"function_name"}, "StreamName": {stream, "name"},
		"DeliveryStreamName": {delivery, "name"}, "StateMachineArn": {machine, "arn"}, "DBInstanceIdentifier": {instance,
			"identifier"}, "ClusterName": {"aws_ecs_cluster", "name"}, "TaskDefinitionFamily": {task, "family"}}
	for _, x := range watched(p) {
		dimensions, _ := x.at("dimensions").(map[string]any)
		for name, value := range dimensions {
			text, _ := value.(string)
			by, known := named[name]
			if text == "" || !known || len(p.Of(by[0])) == 0 {
				continue
			}
			_, found := p.find(by[0], by[1], text)
			r.hold(found, x, "%s %q is no resource of the plan", name, text)
		}
		if len(dimensions) == 1 && x.Text("namespace") == "kindred" { // of each batch
			r.hold(strings.HasSuffix(x.Text("dimensions.function"), "recommend"), x, "only recommend writes %s, not %q",
				x.Text("metric_name"), x.Text("dimensions.function"))
		}
		if len(dimensions) == 0 {
			_, found := p.find("aws_cloudwatch_log_metric_filter", "name", strings.TrimSuffix(x.Text("metric_name"), "s"))
			r.hold(found, x, "%s has no dimensions, and another environment may write it", x.Text("metric_name"))
		}
	}
}

func alarmWindow(x Resource, r *Report) {
	for i, q := range x.Blocks("metric_query") {
		if len(q.Blocks("metric")) > 0 {
			window(x, r, fmt.Sprintf("metric_query.%d.metric.0.period", i))
		}
	}
	if len(x.Blocks("metric_query")) == 0 {
		window(x, r, "period")
	}
}

func window(x Resource, r *Report, path string) {
	period, _ := x.Number(path)
	periods, _ := x.Number("evaluation_periods")
	most := 86400.0
	if period >= 3600 {
		most = 604800
	}
	r.hold(period*periods <= most, x, "%v periods of %v s are too long", periods, period)
	r.hold(slices.Contains([]float64{10, 20, 30}, period) || period >= 60 && int(period)%60 == 0, x, "period %v s", period)
}

func alarmActions(p *Plan, r *Report) {
	for _, kind := range []string{alarm, "aws_cloudwatch_composite_alarm"} {
		for _, x := range p.Of(kind) {
			actions := x.Texts("alarm_actions")
			r.hold(len(actions) > 0, x, "it tells nobody")
			for _, arn := range actions {
				topic, found := p.find("aws_sns_topic", "arn", arn)
				if !found {
					r.hold(false, x, "%s is no topic of the plan", arn)
					continue
				}
				policy, _ := p.find("aws_sns_topic_policy", "arn", arn)
				r.hold(slices.ContainsFunc(policy.statements("policy"), func(s Statement) bool {
					return s.Effect == "Allow" && slices.Contains(s.Principal["Service"], "cloudwatch.amazonaws.com") &&
						anyMatches(s.Action, "sns:Publish")
				}), x, "the topic's policy does not let cloudwatch.amazonaws.com publish")
				if key, found := p.find(kmsKey, "arn", topic.Text("kms_master_key_id")); found {
					r.hold(grants(key, "cloudwatch.amazonaws.com", "kms:Decrypt") && grants(key, "cloudwatch.amazonaws.com",
						"kms:GenerateDataKey"), x,
						"the key of its topic does not let cloudwatch.amazonaws.com in")
				}
			}
		}
	}
}

func composites(p *Plan, r *Report) {
	for _, x := range p.Of("aws_cloudwatch_composite_alarm") {
		names := regexp.MustCompile(`(?:ALARM|OK|INSUFFICIENT_DATA)\("?([^")]+)"?\)`).FindAllStringSubmatch(x.Text(
			"alarm_rule"), -1)
		r.hold(len(names) > 0 && len(names) <= 100, x, "its rule names %d alarms", len(names))
		for _, name := range names {
			_, found := p.find(alarm, "alarm_name", name[1])
			r.hold(found, x, "no alarm is named %s", name[1])
		}
	}
}

func dashboards(p *Plan, r *Report) {
	for _, x := range p.Of("aws_cloudwatch_dashboard") {
		var body dashboard
		ok := x.decode("dashboard_body", &body)
		r.hold(ok && len(body.Widgets) > 0, x, "it has no widgets")
		for i, w := range body.Widgets {
			if w.Type == "text" {
				r.hold(w.Properties.Markdown != "", x, "a text of row %d is empty", w.Y)
			} else {
				r.hold(w.Properties.Region == p.Region && len(w.Properties.Metrics) > 0 && w.Properties.Title != "", x,
					"the widget %q at %d, %d is of region %q with %d metrics", w.Properties.Title, w.X, w.Y,
					w.Properties.Region, len(w.Properties.Metrics))
			}
			r.hold(w.X+w.Width <= 24, x, "a widget at %d is %d wide", w.X, w.Width)
			for _, o := range body.Widgets[:i] {
				r.hold(w.X >= o.X+o.Width || o.X >= w.X+w.Width || w.Y >= o.Y+o.Height || o.Y >= w.Y+w.Height, x,
					"the widget at %d, %d covers the one at %d, %d", w.X, w.Y, o.X, o.Y)
			}
		}
	}
}

func metricFilters(p *Plan, r *Report) {
	for _, x := range p.Of("aws_cloudwatch_log_metric_filter") {
		_, found := p.find("aws_cloudwatch_log_group", "name", x.Text("log_group_name"))
		r.hold(found, x, "the plan has no log group %s", x.Text("log_group_name"))
		r.hold(!strings.HasPrefix(x.Text("metric_transformation.0.namespace"), "AWS/"), x, "its namespace is AWS's")
	}
}
