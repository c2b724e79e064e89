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
		Do:    "allow the role of the job or task the action on the secret that it is told",
		Check: readSecrets,
	}, {
		Name: "erased-list", Source: docs + "secretsmanager/latest/userguide/retrieving-secrets.html",
		Says: "A secret is read by the ARN that a program is told. kindred's programs stop if there is a list of erased " +
			"persons and they do not know its secret",
		Do: "give the task ERASE_SECRET_ARN, or the job --erase-secret", Check: listReaders,
	}, {
		Name: "secret-window", Source: docs + "secretsmanager/latest/apireference/API_DeleteSecret.html",
		Says: "RecoveryWindowInDays is 7 to 30; 0 deletes at once", Do: "correct recovery_window_in_days",
		Check: each("aws_secretsmanager_secret", func(x Resource, r *Report) {
			days, set := x.Number("recovery_window_in_days")
			r.hold(!set || days == 0 || days >= 7 && days <= 30, x, "recovery_window_in_days is %v", days)
		}),
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

// readSecrets checks what programs read themselves: the shop's login, and the secret of the erased persons.
func readSecrets(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		arguments, _ := x.at("default_arguments").(map[string]any)
		for _, name := range []string{"--mysql-secret", "--erase-secret"} {
			if secret, _ := arguments[name].(string); secret != "" {
				p.need(r, x, roleName(x.Text("role_arn")), secret, "secretsmanager:GetSecretValue")
			}
		}
	}
	for _, x := range p.Of(task) {
		for _, c := range x.containers() {
			for _, v := range c.Environment {
				if strings.HasSuffix(v.Name, "_SECRET_ARN") {
					p.need(r, x, roleName(x.Text("task_role_arn")), v.Value, "secretsmanager:GetSecretValue")
				}
			}
		}
	}
}

// listReaders checks that who may read the list of erased persons knows its secret: without it, the program stops.
func listReaders(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		if role := roleName(x.Text("task_role_arn")); p.readsErased(role) {
			told := slices.ContainsFunc(x.containers(), func(c container) bool {
				return slices.ContainsFunc(c.Environment, func(v struct{ Name, Value string }) bool {
					return v.Name == "ERASE_SECRET_ARN"
				})
			})
			r.hold(told, x, "its role %s may read erased/, and it has no ERASE_SECRET_ARN", role)
		}
	}
	for _, x := range p.Of(job) {
		if role := roleName(x.Text("role_arn")); p.readsErased(role) {
			r.hold(x.Text("default_arguments.--erase-secret") != "", x,
				"its role %s may read erased/, and it has no argument --erase-secret", role)
		}
	}
}

func (p *Plan) readsErased(role string) bool {
	return slices.ContainsFunc(p.policies[role], func(s Statement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Action, "s3:GetObject") &&
			slices.ContainsFunc(s.Resource, func(arn string) bool { return strings.HasSuffix(arn, "/erased/*") })
	})
}
