package rules

import (
	"regexp"
	"slices"
	"strings"
)

const (
	schedule  = "aws_scheduler_schedule"
	scheduler = docs + "scheduler/latest/UserGuide/"
	machine   = "aws_sfn_state_machine"
	sfn       = docs + "step-functions/latest/dg/"
)

// scheduleRules are about EventBridge Scheduler.
func scheduleRules() []Rule {
	return []Rule{{
		Name: "schedule-expression", Source: scheduler + "schedule-types.html",
		Says:  "A schedule is rate(value unit), with minute for 1, cron(six fields) or at(time)",
		Do:    "correct schedule_expression",
		Check: named(schedule, "schedule_expression", `^(rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)|cron\(([^ )]+ ){5}[^ )]+\)|at\([0-9T:-]+\))$`, 256),
	}, {
		Name: "schedule-trust", Source: scheduler + "setting-up.html",
		Says:  "scheduler.amazonaws.com must be able to assume the target's role",
		Do:    "name scheduler.amazonaws.com in the role's trust policy",
		Check: trustOf(schedule, "target.0.role_arn", "scheduler.amazonaws.com"),
	}, {
		Name: "schedule-target", Source: scheduler + "managing-targets-templated.html",
		Says: "The role needs the target's action: states:StartExecution, or ecs:RunTask with iam:PassRole for the task's " +
			"roles",
		Do: "allow it", Check: scheduleTarget,
	}, {
		Name: "schedule-key", Source: scheduler + "encryption-rest.html",
		Says: "A schedule with a customer managed key needs kms:Decrypt in the target's role", Do: "allow it",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(schedule) {
				if key := x.Text("kms_key_arn"); key != "" {
					p.need(r, x, roleName(x.Text("target.0.role_arn")), key, "kms:Decrypt")
				}
			}
		},
	}, {
		Name: "schedule-retries", Source: docs + "scheduler/latest/APIReference/API_RetryPolicy.html",
		Says: "MaximumRetryAttempts is 0 to 185, MaximumEventAgeInSeconds 60 to 86400, a flexible window 1 to 1440 minutes",
		Do:   "correct the value",
		Check: both(within(schedule, "target.0.retry_policy.0.maximum_retry_attempts", 0, 185),
			within(schedule, "target.0.retry_policy.0.maximum_event_age_in_seconds", 60, 86400),
			each(schedule, func(x Resource, r *Report) {
				window, _ := x.Number("flexible_time_window.0.maximum_window_in_minutes")
				flexible := x.Text("flexible_time_window.0.mode") == "FLEXIBLE"
				r.hold(flexible == (window >= 1) && window <= 1440, x, "a flexible window %t of %v minutes", flexible, window)
			})),
	}, {
		Name: "schedule-name", Source: docs + "scheduler/latest/APIReference/API_CreateSchedule.html",
		Says: "A schedule's name has at most 64 letters, digits, hyphens, underscores and dots", Do: "shorten the name",
		Check: named(schedule, "name", `^[0-9a-zA-Z-_.]+$`, 64),
	}}
}

func scheduleTarget(p *Plan, r *Report) {
	for _, x := range p.Of(schedule) {
		role, target := roleName(x.Text("target.0.role_arn")), x.Text("target.0.arn")
		definition := x.Text("target.0.ecs_parameters.0.task_definition_arn")
		switch {
		case strings.Contains(target, ":stateMachine:"):
			p.need(r, x, role, target, "states:StartExecution")
		case definition != "":
			p.need(r, x, role, definition, "ecs:RunTask")
			if t, found := p.find(task, "arn", definition); found {
				p.need(r, x, role, t.Text("task_role_arn"), "iam:PassRole")
				p.need(r, x, role, t.Text("execution_role_arn"), "iam:PassRole")
			}
		default:
			r.hold(target == "", x, "no rule knows what the target %s needs", target)
		}
	}
}

// state is what the rules read of a state of a machine.
type state struct {
	Type           string
	Resource       string
	Next           string
	End            bool
	Default        string
	TimeoutSeconds *float64
	Parameters     map[string]any
	Choices        []map[string]any
	Retry          []struct {
		ErrorEquals []string
		MaxAttempts *float64
		BackoffRate *float64
	}
	Catch []struct {
		ErrorEquals []string
		Next        string
	}
}

type definition struct {
	StartAt string
	States  map[string]state
}

// goesTo returns the states that may come after s.
func (s state) goesTo() (next []string) {
	for _, name := range []string{s.Next, s.Default} {
		if name != "" {
			next = append(next, name)
		}
	}
	for _, c := range s.Choices {
		if name, _ := c["Next"].(string); name != "" {
			next = append(next, name)
		}
	}
	for _, c := range s.Catch {
		next = append(next, c.Next)
	}
	return next
}

// stateRules are about Step Functions.
func stateRules() []Rule {
	return []Rule{{
		Name: "sfn-states", Source: sfn + "statemachine-structure.html",
		Says: "StartAt and every Next name a state; each state is reached; each ends or goes on; States.ALL stands alone " +
			"and last",
		Do: "correct the definition", Check: each(machine, states),
	}, {
		Name: "sfn-trust", Source: sfn + "procedure-create-iam-role.html",
		Says: "states.amazonaws.com must be able to assume the machine's role", Do: "name it in the role's trust policy",
		Check: trustOf(machine, "role_arn", "states.amazonaws.com"),
	}, {
		Name: "sfn-ecs", Source: sfn + "connect-ecs.html",
		Says: "ecs:runTask.sync needs ecs:RunTask, StopTask and DescribeTasks, events:PutTargets, PutRule and " +
			"DescribeRule on StepFunctionsGetEventsForECSTaskRule, and iam:PassRole",
		Do: "allow them", Check: runsTasks,
	}, {
		Name: "sfn-glue", Source: sfn + "connect-glue.html",
		Says: "glue:startJobRun.sync needs glue:StartJobRun, GetJobRun, GetJobRuns and BatchStopJobRun on the job",
		Do:   "allow them", Check: runsJobs,
	}, {
		Name: "sfn-sns", Source: sfn + "connect-sns.html",
		Says: "sns:publish needs sns:Publish on the topic, and kms:GenerateDataKey and Decrypt on its key",
		Do:   "allow them", Check: publishes,
	}, {
		Name: "sfn-logs", Source: sfn + "cw-logs.html",
		Says: "Logging needs eight logs: actions on *, a group whose ARN ends with :*, and the name /aws/vendedlogs/ for " +
			"the policy's size",
		Do: "correct the log group or the role", Check: machineLogs,
	}, {
		Name: "sfn-key", Source: sfn + "encryption-at-rest.html",
		Says: "With a customer managed key the role needs kms:Decrypt and GenerateDataKey, and the key's policy lets " +
			"delivery.logs.amazonaws.com decrypt; reuse is 60 to 900 s",
		Do: "allow them, or correct the reuse period", Check: machineKey,
	}, {
		Name: "sfn-tracing", Source: sfn + "concepts-xray-tracing.html",
		Says: "Tracing needs xray:PutTraceSegments, PutTelemetryRecords, GetSamplingRules and GetSamplingTargets",
		Do:   "allow them on *",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(machine) {
				if x.True("tracing_configuration.0.enabled") {
					p.need(r, x, roleName(x.Text("role_arn")), "*", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
						"xray:GetSamplingRules", "xray:GetSamplingTargets")
				}
			}
		},
	}, {
		Name: "sfn-name", Source: docs + "step-functions/latest/apireference/API_CreateStateMachine.html",
		Says: "A machine's name has at most 80 characters", Do: "shorten the name", Check: named(machine, "name",
			`^[a-zA-Z0-9-_]+$`, 80),
	}}
}

// integration is what a task's resource begins with.
var integration = regexp.MustCompile(`^arn:aws[a-z-]*:states:::`)

func states(x Resource, r *Report) {
	var d definition
	if !x.decode("definition", &d) {
		return
	}
	reached := map[string]bool{d.StartAt: true}
	for range d.States {
		for name := range reached {
			for _, next := range d.States[name].goesTo() {
				reached[next] = true
			}
		}
	}
	for name := range reached {
		_, found := d.States[name]
		r.hold(found, x, "a state goes to %q, which is none", name)
	}
	for name, s := range d.States {
		r.hold(reached[name], x, "no state leads to %s", name)
		ends := s.End || s.Next != "" || slices.Contains([]string{"Choice", "Fail", "Succeed"}, s.Type)
		r.hold(ends, x, "%s neither ends nor goes on", name)
		for i, retry := range s.Retry {
			all := slices.Contains(retry.ErrorEquals, "States.ALL")
			r.hold(!all || len(retry.ErrorEquals) == 1 && i == len(s.Retry)-1, x,
				"%s retries States.ALL beside or before others", name)
		}
		r.hold(s.Type != "Task" || integration.MatchString(s.Resource), x, "%s calls %q", name, s.Resource)
	}
}

// calls returns the parameters of the states of a machine that call an integration.
func (x Resource) calls(service string) (all []Resource) {
	var d definition
	x.decode("definition", &d)
	for name, s := range d.States {
		if strings.HasSuffix(s.Resource, ":::"+service) {
			all = append(all, Resource{x.Address + " state " + name, x.Type, s.Parameters})
		}
	}
	return all
}

func runsTasks(p *Plan, r *Report) {
	for _, x := range p.Of(machine) {
		role := roleName(x.Text("role_arn"))
		for _, call := range x.calls("ecs:runTask.sync") {
			p.need(r, x, role, call.Text("TaskDefinition"), "ecs:RunTask")
			cluster := strings.Replace(call.Text("Cluster"), ":cluster/", ":task/", 1)
			p.need(r, x, role, cluster+"/any", "ecs:StopTask", "ecs:DescribeTasks")
			if parts := strings.Split(cluster, ":"); len(parts) > 4 {
				p.need(r, x, role, "arn:aws:events:"+parts[3]+":"+parts[4]+":rule/StepFunctionsGetEventsForECSTaskRule",
					"events:PutTargets", "events:PutRule", "events:DescribeRule")
			}
			if t, found := p.find(task, "arn", call.Text("TaskDefinition")); found {
				p.need(r, x, role, t.Text("task_role_arn"), "iam:PassRole")
				p.need(r, x, role, t.Text("execution_role_arn"), "iam:PassRole")
			}
		}
	}
}

func runsJobs(p *Plan, r *Report) {
	for _, x := range p.Of(machine) {
		for _, call := range x.calls("glue:startJobRun.sync") {
			if j, found := p.find(job, "name", call.Text("JobName")); found {
				p.need(r, x, roleName(x.Text("role_arn")), j.Text("arn"), "glue:StartJobRun", "glue:GetJobRun",
					"glue:GetJobRuns", "glue:BatchStopJobRun")
			} else {
				r.hold(false, x, "no job is named %s", call.Text("JobName"))
			}
		}
	}
}

func publishes(p *Plan, r *Report) {
	for _, x := range p.Of(machine) {
		for _, call := range x.calls("sns:publish") {
			p.need(r, x, roleName(x.Text("role_arn")), call.Text("TopicArn"), "sns:Publish")
			if topic, found := p.find("aws_sns_topic", "arn", call.Text("TopicArn")); found &&
				topic.Text("kms_master_key_id") != "" {
				p.need(r, x, roleName(x.Text("role_arn")), topic.Text("kms_master_key_id"), "kms:GenerateDataKey", "kms:Decrypt")
			}
		}
	}
}

func machineLogs(p *Plan, r *Report) {
	for _, x := range p.Of(machine) {
		destination := x.Text("logging_configuration.0.log_destination")
		if destination == "" {
			continue
		}
		r.hold(strings.HasSuffix(destination, ":*") && strings.Contains(destination, ":log-group:/aws/vendedlogs/"), x,
			"it logs to %s", destination)
		_, found := p.find("aws_cloudwatch_log_group", "arn", strings.TrimSuffix(destination, ":*"))
		r.hold(found, x, "the plan has no log group %s", destination)
		p.need(r, x, roleName(x.Text("role_arn")), "*", "logs:CreateLogDelivery", "logs:GetLogDelivery",
			"logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
			"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups")
	}
}

func machineKey(p *Plan, r *Report) {
	for _, x := range p.Of(machine) {
		arn := x.Text("encryption_configuration.0.kms_key_id")
		if arn == "" {
			continue
		}
		reuse, set := x.Number("encryption_configuration.0.kms_data_key_reuse_period_seconds")
		r.hold(!set || reuse >= 60 && reuse <= 900, x, "it uses a data key for %v s", reuse)
		p.need(r, x, roleName(x.Text("role_arn")), arn, "kms:Decrypt", "kms:GenerateDataKey")
		if key, found := p.find(kmsKey, "arn", arn); found && x.Text("logging_configuration.0.log_destination") != "" {
			r.hold(grants(key, "delivery.logs.amazonaws.com", "kms:Decrypt"), x,
				"the key's policy does not let delivery.logs.amazonaws.com decrypt what it logs")
		}
	}
}
