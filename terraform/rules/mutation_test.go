package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// leastFound is the share of seeded mistakes that the rules must find.
const leastFound = 0.95

// TestMutations seeds every mistake of these kinds, one at a time, and measures how many the rules find.
// The mistakes do not come from the rules: each action, statement, endpoint and so on that the plan has
// is removed or changed once.
func TestMutations(t *testing.T) {
	t.Parallel()
	rules, kinds, found, missed := All(), map[string]int{}, map[string]int{}, []string{}
	for _, m := range mutations(t, mustFixture(t)) {
		kinds[m.rule]++ // here the kind of mutation
		resources := mustFixture(t)
		if problem := m.make(resources); problem != "" {
			t.Fatal(problem)
		}
		if findings, _ := Check(mustPlan(t, resources), rules); len(findings) > 0 {
			found[m.rule]++
		} else {
			missed = append(missed, fmt.Sprintf("%s: %s %s %v", m.rule, m.address, m.path, m.value))
		}
	}
	all, hits := 0, 0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%-24s %4d of %4d", kind, found[kind], kinds[kind])
		all, hits = all+kinds[kind], hits+found[kind]
	}
	share := float64(hits) / float64(all)
	t.Logf("found %d of %d mistakes: %.1f %%; not found:\n%s", hits, all, 100*share, strings.Join(missed, "\n"))
	if all < 30 || share < leastFound {
		t.Errorf("the rules find %.1f %% of %d mistakes, want %.0f %%", 100*share, all, 100*leastFound)
	}
}

func mustCalls(t *testing.T) (calls []Call) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "acceptance", "testdata", "calls.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

// mutations returns all of them, in a fixed order. The field rule is the kind of mutation.
func mutations(t *testing.T, resources map[string]map[string]any) (all []mistake) {
	t.Helper()
	removed := map[string]string{"aws_vpc_endpoint": "endpoint", "aws_vpc_security_group_ingress_rule": "group rule",
		"aws_vpc_security_group_egress_rule": "group rule",
		"aws_cloudwatch_log_group":           "log group", "aws_iam_role_policy": "policy",
		"aws_s3_bucket_policy": "bucket policy", "aws_s3_bucket_public_access_block": "public access block",
		"aws_route_table_association": "route", "aws_lambda_permission": "permission",
		"aws_sns_topic_policy": "topic policy", "aws_iam_role_policy_attachment": "policy", "aws_iam_role": "role",
		"aws_wafv2_web_acl_association": "web ACL", "aws_api_gateway_method_settings": "throttle"}
	plan := New(resources, region)
	for _, address := range plan.ordered {
		x := plan.resources[address]
		if kind, listed := removed[x.Type]; listed {
			all = append(all, mistake{kind, address, "", nil})
		}
		all = append(all, policyMutations(x)...)
		all = append(all, valueMutations(x)...)
	}
	return all
}

// policyMutations drop each statement and each action of a policy, and each service that a role trusts.
func policyMutations(x Resource) (all []mistake) {
	for i, s := range x.statements("policy") {
		at := fmt.Sprintf("policy.Statement.%d", i)
		kind := map[string]string{"aws_iam_role_policy": "role", "aws_kms_key": "key", "aws_s3_bucket_policy": "bucket",
			"aws_sns_topic_policy": "topic"}[x.Type]
		if kind == "" || s.Effect == "Deny" && x.Type == "aws_iam_role_policy" {
			continue // a Deny limits what nothing needs
		}
		all = append(all, mistake{kind + "'s statement", x.Address, at, nil})
		for j := range s.Action {
			if len(s.Action) > 1 {
				all = append(all, mistake{kind + "'s action", x.Address, fmt.Sprintf("%s.Action.%d", at, j), nil})
			}
		}
		if x.Type == "aws_iam_role_policy" {
			for j := range s.Resource {
				if len(s.Resource) > 1 {
					all = append(all, mistake{"role's resource", x.Address, fmt.Sprintf("%s.Resource.%d", at, j), nil})
				}
			}
		}
	}
	for i, s := range x.statements("assume_role_policy") {
		if len(s.Principal["Service"]) > 0 {
			all = append(all, mistake{"trust", x.Address, fmt.Sprintf("assume_role_policy.Statement.%d.Principal.Service",
				i), "other.amazonaws.com"})
		}
	}
	return all
}

// valueMutations change single values.
func valueMutations(x Resource) (all []mistake) {
	set := func(kind, path string, value any) { all = append(all, mistake{kind, x.Address, path, value}) }
	switch x.Type {
	case alarm:
		dimensions, _ := x.at("dimensions").(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(dimensions)) {
			set("dimension", "dimensions."+name, nil)
			set("dimension", "dimensions."+name, "other")
		}
		set("metric", "metric_name", x.Text("metric_name")+"x")
		set("alarm's action", "alarm_actions", nil)
	case task:
		set("size", "memory", "1000")
		for i, c := range x.containers() {
			at := fmt.Sprintf("container_definitions.%d.", i)
			set("log group's name", at+"logConfiguration.options.awslogs-group", "/ecs/other")
			for j := range c.Secrets {
				set("secret", fmt.Sprintf("%ssecrets.%d.valueFrom", at, j),
					"arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf:password::")
			}
		}
	case machine:
		var d definition
		x.decode("definition", &d)
		for _, name := range slices.Sorted(maps.Keys(d.States)) {
			if d.States[name].Next != "" {
				set("state", "definition.States."+name+".Next", "Nowhere")
			}
		}
	case instance:
		set("instance", "publicly_accessible", true)
		set("instance", "monitoring_interval", 7.0)
		if x.Text("engine") == "postgres" {
			set("instance", "instance_class", "db.t4g.nano")
		} else {
			set("instance", "performance_insights_enabled", true)
		}
	case "aws_subnet":
		set("zone", "availability_zone", "us-west-2a")
	case endpoint:
		set("endpoint's service", "service_name", "com.amazonaws.us-west-2.s3")
	}
	return all
}
