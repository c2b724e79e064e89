package rules

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

const (
	role       = "aws_iam_role"
	attachment = "aws_iam_role_policy_attachment"
	iam        = docs + "IAM/latest/UserGuide/"
	auth       = docs + "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
)

// roleRules are about IAM.
func roleRules() []Rule {
	return []Rule{{
		Name: "iam-role-name", Source: iam + "reference_iam-quotas.html",
		Says: "A role's name has at most 64 letters, digits and + = , . @ - _", Do: "shorten the name",
		Check: named(role, "name", `^[\w+=,.@-]+$`, 64),
	}, {
		Name: "iam-policy-size", Source: iam + "reference_iam-quotas.html",
		Says: "The inline policies of a role have at most 10,240 characters in all, its trust policy 2,048, without white " +
			"space", Do: "shorten the policy, or use a managed one",
		Check: policySizes,
	}, {
		Name: "iam-session", Source: docs + "IAM/latest/APIReference/API_CreateRole.html",
		Says: "MaxSessionDuration is 3600 to 43200 s",
		Do:   "correct max_session_duration", Check: within(role, "max_session_duration", 3600, 43200),
	}, {
		Name: "iam-statement", Source: iam + "reference_policies_grammar.html",
		Says: "A statement has an effect, actions of the form service:Name, and resources that are ARNs or *; Sid has " +
			"letters and digits, and is unique",
		Do: "correct the statement", Check: statementForms,
	}, {
		Name: "iam-every-resource", Source: auth,
		Says: "Some actions take no resource: named with one, they are never allowed", Do: "allow the action on *",
		Check: everyResource,
	}, {
		Name: "iam-resource-service", Source: auth,
		Says: "An action applies to resources of its own service", Do: "name a resource of the action's service",
		Check: resourceServices,
	}, {
		Name: "iam-condition-key", Source: auth,
		Says: "A condition key is a global one, or one that the service documents for the action; another is never there, " +
			"and the statement never applies",
		Do: "use a documented key", Check: conditionKeys,
	}, {
		Name: "iam-pass-role", Source: iam + "id_roles_use_passrole.html",
		Says: "iam:PassRole hands over a role's rights: name the roles, and the service by iam:PassedToService",
		Do:   "add the condition, and name the roles",
		Check: each("aws_iam_role_policy", func(x Resource, r *Report) {
			for _, s := range x.statements("policy") {
				if s.Effect == "Allow" && slices.Contains(s.Action, "iam:PassRole") {
					r.hold(len(s.Condition["StringEquals"]["iam:PassedToService"]) > 0 && !slices.Contains(s.Resource, "*"), x,
						"it may pass %v to any service", s.Resource)
				}
			}
		}),
	}, {
		Name: "iam-boundary", Source: iam + "access_policies_boundaries.html",
		Says: "Who may create only roles with a permissions boundary is refused every role without it",
		Do:   "give each role the same permissions_boundary", Check: boundaries,
	}, {
		Name: "iam-policy-has-role", Source: docs + "IAM/latest/APIReference/API_PutRolePolicy.html",
		Says: "PutRolePolicy names a role that exists", Do: "name a role of the plan", Check: func(p *Plan, r *Report) {
			for _, x := range p.Of("aws_iam_role_policy") {
				_, found := p.find(role, "name", x.Text("role"))
				r.hold(found || x.Text("role") == "", x, "no role is named %s", x.Text("role"))
			}
		},
	}, {
		Name: "iam-no-wildcard", Source: iam + "best-practices.html#grant-least-privilege",
		Says: "Grant the least privilege: an action with * grants what AWS will add to the service", Do: "name each action",
		Check: each("aws_iam_role_policy", func(x Resource, r *Report) {
			for _, s := range x.statements("policy") {
				for _, action := range s.Action {
					r.hold(s.Effect != "Allow" || !strings.Contains(action, "*"), x, "it allows %s", action)
				}
			}
		}),
	}}
}

// length returns the characters of a policy without white space.
func (x Resource) length(path string) int {
	text, err := json.Marshal(x.parsed(path))
	if x.parsed(path) == nil || err != nil {
		return 0
	}
	return len(text)
}

func policySizes(p *Plan, r *Report) {
	sizes := map[string]int{}
	for _, x := range p.Of("aws_iam_role_policy") {
		sizes[x.Text("role")] += x.length("policy")
		r.hold(sizes[x.Text("role")] <= 10240, x, "the policies of %s have %d characters", x.Text("role"),
			sizes[x.Text("role")])
	}
	for _, x := range p.Of(role) {
		r.hold(x.length("assume_role_policy") <= 2048, x, "its trust policy has %d characters",
			x.length("assume_role_policy"))
	}
}

// Forms of a statement's parts.
var (
	actionForm = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9*]+$`)
	sidForm    = regexp.MustCompile(`^[A-Za-z0-9]*$`)
)

func statementForms(p *Plan, r *Report) {
	for _, x := range p.Of("aws_iam_role_policy") {
		seen := map[string]bool{}
		for _, s := range x.statements("policy") {
			r.hold((s.Effect == "Allow" || s.Effect == "Deny") && len(s.Action) > 0 && len(s.Resource) > 0 &&
				s.Principal == nil, x, "statement %q is not whole", s.Sid)
			r.hold(sidForm.MatchString(s.Sid) && (s.Sid == "" || !seen[s.Sid]), x, "Sid %q", s.Sid)
			seen[s.Sid] = true
			for _, a := range s.Action {
				r.hold(actionForm.MatchString(a), x, "action %q", a)
			}
			for _, arn := range s.Resource {
				r.hold(arn == "*" || strings.HasPrefix(arn, "arn:") && strings.Count(arn, ":") >= 5, x, "resource %q", arn)
			}
		}
	}
}

// withoutResource are actions for which AWS documents no resource type.
func withoutResource() []string {
	return []string{"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "xray:PutTraceSegments",
		"xray:PutTelemetryRecords", "xray:GetSamplingRules",
		"xray:GetSamplingTargets", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
		"ec2:DescribeVpcEndpoints",
		"ec2:DescribeRouteTables", "ec2:DescribeVpcs", "logs:CreateLogDelivery", "logs:GetLogDelivery",
		"logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
		"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
		"ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition", "sts:GetCallerIdentity",
		"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
		"ssmmessages:OpenDataChannel"}
}

func everyResource(p *Plan, r *Report) {
	for _, x := range p.Of("aws_iam_role_policy") {
		for _, s := range x.statements("policy") {
			for _, a := range s.Action {
				if slices.Contains(withoutResource(), a) && s.Effect == "Allow" {
					r.hold(slices.Contains(s.Resource, "*"), x, "%s on %v", a, s.Resource)
				}
			}
		}
	}
}

func resourceServices(p *Plan, r *Report) {
	for _, x := range p.Of("aws_iam_role_policy") {
		for _, s := range x.statements("policy") {
			for _, a := range s.Action {
				service, _, _ := strings.Cut(a, ":")
				for _, arn := range s.Resource {
					if parts := strings.Split(arn, ":"); len(parts) > 2 {
						session := a == "ssm:StartSession" && parts[2] == "ecs" // in a task
						r.hold(parts[2] == service || session, x, "%s on %s", a, arn)
					}
				}
			}
		}
	}
}

func conditionKeys(p *Plan, r *Report) {
	global := []string{"aws:SourceAccount", "aws:SourceArn", "aws:SecureTransport", "aws:PrincipalOrgID",
		"aws:PrincipalArn", "aws:ResourceAccount", "aws:RequestedRegion", "aws:ViaAWSService", "aws:CalledVia"}
	own := map[string][]string{"iam:PassedToService": {"iam:PassRole"}, "iam:PermissionsBoundary": bounded(),
		"ecs:cluster":          {"ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks"},
		"cloudwatch:namespace": {"cloudwatch:PutMetricData"}, "lambda:SourceFunctionArn": nil,
		"s3:prefix": {"s3:ListBucket"}, "kms:ViaService": nil, "kms:EncryptionContext:aws:logs:arn": nil,
		"kms:EncryptionContext:SourceArn": nil}
	for _, kind := range []string{"aws_iam_role_policy", "aws_iam_policy", kmsKey, "aws_s3_bucket_policy",
		"aws_sns_topic_policy"} {
		for _, x := range p.Of(kind) {
			for _, s := range x.statements("policy") {
				for _, condition := range s.Condition {
					for key := range condition {
						actions, documented := own[key]
						ok := slices.Contains(global, key) || documented && (actions == nil || !slices.ContainsFunc(s.Action,
							func(a string) bool { return !slices.Contains(actions, a) }))
						r.hold(ok, x, "statement %q has the condition key %s", s.Sid, key)
					}
				}
			}
		}
	}
}

func boundaries(p *Plan, r *Report) {
	wanted := ""
	for _, x := range p.Of(role) {
		wanted = max(wanted, x.Text("permissions_boundary"))
	}
	for _, x := range p.Of(role) {
		own := x.Text("permissions_boundary")
		r.hold(own == wanted, x, "its boundary is %q, others' is %q", own, wanted)
	}
}
