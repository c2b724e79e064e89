package rules

import (
	"slices"
	"strings"
)

// Call is a kind of AWS call that a program makes, as `make tf-calls` records it. Resource is relative:
// "lake/training-set/" is a key's folder in the bucket of that role.
type Call struct {
	Program  string `json:"program"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
}

// callRules are about what the programs call.
func callRules() []Rule {
	return []Rule{{
		Name: "role-per-program", Source: iam + "access_policies.html",
		Says: "What no policy allows is denied", Do: "allow the program's role what the program calls (make tf-calls " +
			"records it)", Check: recordedCalls,
	}, {
		Name: "role-secret", Source: docs + "secretsmanager/latest/userguide/auth-and-access_iam-policies.html",
		Says:  "A program reads a secret with secretsmanager:GetSecretValue on its ARN",
		Do:    "allow the role of the job or task the action on the shop's secret",
		Check: shopSecrets,
	}}
}

// recordedCalls checks the role of each program, whose name ends with the program's.
func recordedCalls(p *Plan, r *Report) {
	for _, x := range p.Of(role) {
		name := x.Text("name")
		for _, c := range p.Calls {
			// train-spark's role ends with spark, and train's with train.
			if !strings.HasSuffix(name, "-"+c.Program) || c.Program == "spark" {
				continue
			}
			if arn := p.called(c); arn != "" {
				p.need(r, x, name, arn, c.Action)
			}
		}
	}
}

// called returns the ARN of what a program calls, or "" where the plan does not have it.
func (p *Plan) called(c Call) string {
	service, _, _ := strings.Cut(c.Action, ":")
	kinds := map[string]string{"s3": bucket, "firehose": delivery, "kinesis": stream}
	name, key, isObject := strings.Cut(c.Resource, "/")
	for _, x := range p.Of(kinds[service]) {
		arn := x.Text("arn")
		if arn == "" || !strings.HasSuffix(arn, "-"+name) {
			continue
		}
		if isObject {
			return arn + "/" + strings.ReplaceAll(key, "run=/", "run=any/") + "any"
		}
		return arn
	}
	return ""
}

func shopSecrets(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		arguments, _ := x.at("default_arguments").(map[string]any)
		if secret, _ := arguments["--mysql-secret"].(string); secret != "" {
			p.need(r, x, roleName(x.Text("role_arn")), secret, "secretsmanager:GetSecretValue")
		}
	}
	for _, x := range p.Of(task) {
		for _, c := range x.containers() {
			if i := slices.IndexFunc(c.Environment, func(v struct {
				Name,
				Value string
			}) bool {
				return v.Name == "MYSQL_SECRET_ARN"
			}); i >= 0 {
				p.need(r, x, roleName(x.Text("task_role_arn")), c.Environment[i].Value, "secretsmanager:GetSecretValue")
			}
		}
	}
}
