package rules

import (
	"regexp"
	"slices"
	"strings"
)

// ciRules are about a role that is assumed from outside the account and makes other roles.
func ciRules() []Rule {
	return []Rule{{
		Name: "iam-web-identity", Source: iam + "id_roles_providers_create_oidc.html",
		Says: "A web identity role names aud and sub: without a condition on the provider's sub, whoever the provider " +
			"serves can assume the role",
		Do:    "limit aud with StringEquals, and sub to one repository's branch, tag or environment with StringLike",
		Check: webIdentities,
	}, {
		Name: "iam-delegation", Source: iam + "access_policies_boundaries.html#access_policies_boundaries-delegate",
		Says: "Who may make roles without the condition iam:PermissionsBoundary, remove a boundary, change a policy or " +
			"change its own role, may do everything",
		Do:    "demand the boundary in the statement, and deny the role all changes of itself",
		Check: delegations,
	}, {
		Name: "iam-promotes", Source: iam + "access_policies.html",
		Says: "What no policy allows is denied: who promotes makes, changes, reads and deletes all that the plan has",
		Do:   "allow the role of module ci the actions on the resource", Check: promotions,
	}}
}

// bounded are the actions that IAM compares with the condition key iam:PermissionsBoundary.
func bounded() []string {
	return []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy",
		"iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"}
}

// gives are those of them that can give a role rights.
func gives() []string {
	return []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"}
}

const byWebIdentity = "sts:AssumeRoleWithWebIdentity"

// webSubject is a kind, one repository in its group, and what of it. Only the last may have wildcards.
var webSubject = regexp.MustCompile(`^[a-z_]+:[^*?:/]+(/[^*?:/]+)+:.+$`)

func webIdentities(p *Plan, r *Report) {
	for _, x := range p.Of(role) {
		for _, s := range x.statements("assume_role_policy") {
			if !slices.Contains(s.Action, byWebIdentity) || s.Effect != "Allow" {
				continue
			}
			issuers := s.Principal["Federated"]
			r.hold(len(issuers) == 1, x, "its trust names the providers %v", issuers)
			for _, arn := range issuers {
				_, issuer, _ := strings.Cut(arn, ":oidc-provider/")
				r.hold(len(s.Condition["StringEquals"][issuer+":aud"]) > 0, x, "its trust does not compare %s:aud", issuer)
				subjects := slices.Concat(s.Condition["StringEquals"][issuer+":sub"], s.Condition["StringLike"][issuer+":sub"])
				r.hold(len(subjects) > 0, x, "its trust does not limit %s:sub", issuer)
				for _, subject := range subjects {
					whole := slices.ContainsFunc(strings.Split(subject, ":"), func(part string) bool {
						return strings.Trim(part, "*?") == ""
					})
					r.hold(webSubject.MatchString(subject) && !whole, x, "its trust admits the subject %s", subject)
				}
			}
		}
	}
}

func delegations(p *Plan, r *Report) {
	for _, x := range p.Of(role) {
		name := x.Text("name")
		makes := false
		for _, s := range p.policies[name] {
			if s.Effect != "Allow" {
				continue
			}
			for _, action := range gives() {
				if anyMatches(s.Action, action) {
					makes = true
					r.hold(len(s.Condition["StringEquals"]["iam:PermissionsBoundary"]) > 0, x, "it may %s without a boundary", action)
				}
			}
			for _, action := range []string{"iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion",
				"iam:SetDefaultPolicyVersion"} {
				r.hold(!anyMatches(s.Action, action), x, "it may %s", action)
			}
		}
		if makes {
			for _, action := range append(gives(), "iam:UpdateAssumeRolePolicy", "iam:DeleteRole") {
				r.hold(p.denies(name, action, x.Text("arn")), x, "it may %s on itself", action)
			}
		}
	}
}

// denies reports whether a role's policies deny an action on a resource in any case.
func (p *Plan) denies(role, action, resource string) bool {
	return slices.ContainsFunc(p.policies[role], func(s Statement) bool {
		return s.Effect == "Deny" && len(s.Condition) == 0 && anyMatches(s.Action, action) && anyMatches(s.Resource, resource)
	})
}

// promotions checks the roles that a web identity assumes against all that the plan has. What such a role is made of,
// a person promotes; it only reads it.
func promotions(p *Plan, r *Report) {
	for _, ci := range p.Of(role) {
		if !slices.ContainsFunc(ci.statements("assume_role_policy"), func(s Statement) bool {
			return slices.Contains(s.Action, byWebIdentity)
		}) {
			continue
		}
		name := ci.Text("name")
		for _, address := range p.ordered {
			switch x := p.resources[address]; {
			case strings.HasPrefix(x.Type, "aws_iam_"):
				p.promotesRole(r, ci, x)
			case x.Type != "":
				service := serviceOf(x.Type)
				r.hold(service != "", x, "the rule does not know the service of %s", x.Type)
				p.need(r, ci, name, promoted(x), service+":Create", service+":Get", service+":Delete")
			}
		}
		for _, path := range []string{".tfstate", ".tfstate.tflock"} {
			for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"} {
				r.hold(slices.ContainsFunc(p.policies[name], func(s Statement) bool {
					return s.Effect == "Allow" && slices.Contains(s.Action, action) &&
						slices.ContainsFunc(s.Resource, func(arn string) bool { return strings.HasSuffix(arn, path) })
				}), ci, "it may not %s on the state's %s", action, path)
			}
		}
		r.hold(slices.ContainsFunc(p.policies[name], func(s Statement) bool {
			return s.Effect == "Allow" && slices.Equal(s.Action, list{"s3:ListBucket"})
		}), ci, "it may not find the state")
		p.need(r, ci, name, "*", "kms:ListAliases", "kms:ListKeys")
		for _, x := range p.Of(instance) {
			if x.True("manage_master_user_password") {
				secret := "arn:aws:secretsmanager:" + p.Region + ":" + accountOf(ci) + ":secret:rds!db-x"
				p.need(r, ci, name, secret, "secretsmanager:CreateSecret", "secretsmanager:TagResource")
			}
		}
	}
}

// promotesRole checks what Terraform calls to keep a resource of IAM.
func (p *Plan) promotesRole(r *Report, ci, x Resource) {
	name, arn := ci.Text("name"), x.Text("arn")
	switch own := x.Text("name") == name || x.Text("role") == name; {
	case x.Type == "aws_iam_policy":
		p.need(r, ci, name, arn, "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions")
	case x.Type == "aws_iam_openid_connect_provider":
		p.need(r, ci, name, arn, "iam:GetOpenIDConnectProvider")
	case x.Type == role:
		p.need(r, ci, name, arn, "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
			"iam:ListRolePolicies")
		if own {
			return
		}
		p.need(r, ci, name, arn, "iam:CreateRole", "iam:DeleteRole", "iam:PutRolePermissionsBoundary", "iam:TagRole",
			"iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole")
		for _, s := range x.statements("assume_role_policy") {
			for _, service := range s.Principal["Service"] {
				p.need(r, ci, name, arn, "iam:PassRole")
				r.hold(slices.ContainsFunc(p.policies[name], func(s Statement) bool {
					return slices.Contains(s.Action, "iam:PassRole") &&
						slices.Contains(s.Condition["StringEquals"]["iam:PassedToService"], service)
				}), ci, "it may not hand %s to %s", x.Text("name"), service)
			}
		}
	case x.Type == "aws_iam_role_policy":
		held, _ := p.find(role, "name", x.Text("role"))
		p.need(r, ci, name, held.Text("arn"), "iam:GetRolePolicy")
		if !own {
			p.need(r, ci, name, held.Text("arn"), "iam:PutRolePolicy", "iam:DeleteRolePolicy")
		}
	case x.Type == attachment && !own:
		held, _ := p.find(role, "name", x.Text("role"))
		p.need(r, ci, name, held.Text("arn"), "iam:AttachRolePolicy", "iam:DetachRolePolicy")
	}
}

// promoted is the ARN with which a policy can name a resource; "*" is of one that it names by no ARN.
func promoted(x Resource) string {
	switch arn := x.Text("arn"); {
	case x.Type == "aws_s3_object":
		return "arn:aws:s3:::" + x.Text("bucket") + "/" + x.Text("key")
	case strings.HasPrefix(x.Type, "aws_s3_bucket"):
		return "arn:aws:s3:::" + x.Text("bucket")
	case x.Type == kmsKey || x.Type == "aws_kms_alias" || x.Type == "aws_secretsmanager_secret":
		return arn
	}
	return "*"
}

// accountOf is the account in a resource's ARN.
func accountOf(x Resource) string {
	parts := strings.Split(x.Text("arn"), ":")
	return parts[min(4, len(parts)-1)]
}

// serviceOf returns the prefix of the actions on a type of resource, or "".
func serviceOf(kind string) string {
	name := strings.TrimPrefix(kind, "aws_")
	for _, service := range [][2]string{
		{"api_gateway", "apigateway"}, {"budgets", "budgets"}, {"ce", "ce"}, {"cloudwatch_log", "logs"},
		{"cloudwatch", "cloudwatch"}, {"db", "rds"}, {"ecr", "ecr"}, {"ecs", "ecs"}, {"glue", "glue"},
		{"kinesis_firehose", "firehose"}, {"kinesis", "kinesis"}, {"kms", "kms"}, {"lambda", "lambda"}, {"s3", "s3"},
		{"scheduler", "scheduler"}, {"secretsmanager", "secretsmanager"}, {"sfn", "states"}, {"sns", "sns"},
		{"wafv2", "wafv2"}, {"default_security_group", "ec2"}, {"flow_log", "ec2"}, {"internet_gateway", "ec2"},
		{"route", "ec2"}, {"security_group", "ec2"}, {"subnet", "ec2"}, {"vpc", "ec2"},
	} {
		if name == service[0] || strings.HasPrefix(name, service[0]+"_") {
			return service[1]
		}
	}
	return ""
}
