package rules

import (
	"encoding/json"
	"slices"
	"strings"
)

// Statement is one statement of a policy.
type Statement struct {
	Sid       string
	Effect    string
	Action    list
	Resource  list
	Principal principals
	Condition map[string]map[string]list
}

// list is a text or a list of texts.
type list []string

// UnmarshalJSON accepts both.
func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// principals are who a statement is about, by kind: AWS, Service. "*" is everybody.
type principals map[string]list

// UnmarshalJSON accepts "*" too.
func (p *principals) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*p = principals{"AWS": {one}}
		return nil
	}
	return json.Unmarshal(data, (*map[string]list)(p))
}

// statements returns the statements of the policy at a path.
func (x Resource) statements(path string) []Statement {
	var document struct{ Statement []Statement }
	if !x.decode(path, &document) {
		return nil
	}
	return document.Statement
}

// matches reports whether a pattern of a policy, with * and ?, matches a text as a whole.
func matches(pattern, text string) bool {
	for len(pattern) > 0 {
		switch pattern[0] {
		case '*':
			for skip := 0; skip <= len(text); skip++ {
				if matches(pattern[1:], text[skip:]) {
					return true
				}
			}
			return false
		case '?':
			if text == "" {
				return false
			}
		default:
			if text == "" || text[0] != pattern[0] {
				return false
			}
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

func anyMatches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, text) })
}

// covers reports whether a pattern of a policy matches everything that another one matches, as far as
// that is seen by taking the other one's * for a letter.
func covers(pattern, other string) bool { return matches(pattern, strings.ReplaceAll(other, "*", "x")) }

// allows reports whether a role's policies allow an action on a resource, which may contain *. Of a
// resource that the plan does not know ("") it says yes.
func (p *Plan) allows(role, action, resource string) bool {
	if resource == "" {
		return true
	}
	return slices.ContainsFunc(p.policies[role], func(s Statement) bool {
		return s.Effect == "Allow" && anyMatches(s.Action, action) &&
			slices.ContainsFunc(s.Resource, func(own string) bool { return covers(own, resource) })
	})
}

// need reports every action that a role's policies do not allow on a resource.
func (p *Plan) need(r *Report, x Resource, role, resource string, actions ...string) {
	if role == "" {
		return
	}
	for _, action := range actions {
		r.hold(p.allows(role, action, resource), x, "its role %s does not allow %s on %s", role, action, resource)
	}
}

// roleName returns the name of the role of an ARN.
func roleName(arn string) string {
	_, name, _ := strings.Cut(arn, ":role/")
	return name
}

// trusts reports whether a role's trust policy lets a service assume it, and under which condition keys.
func (p *Plan) trusts(name, service string) (trusted bool, keys []string) {
	role, found := p.find("aws_iam_role", "name", name)
	if !found {
		return false, nil
	}
	for _, s := range role.statements("assume_role_policy") {
		if s.Effect == "Allow" && slices.Contains(s.Action, "sts:AssumeRole") && slices.Contains(s.Principal["Service"],
			service) {
			trusted = true
			for _, condition := range s.Condition {
				for key := range condition {
					keys = append(keys, key)
				}
			}
		}
	}
	return trusted, keys
}

// wantTrust reports a role that a service cannot assume.
func (p *Plan) wantTrust(r *Report, x Resource, arn, service string) {
	if name := roleName(arn); name != "" {
		trusted, _ := p.trusts(name, service)
		r.hold(trusted, x, "%s cannot assume its role %s", service, name)
	}
}

// grants reports whether the policy of a key lets a service use it for an action. Where the policy names
// the account, the caller's own policy may grant it too; a service has no policy of its own.
func grants(key Resource, service, action string) bool {
	return slices.ContainsFunc(key.statements("policy"), func(s Statement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Principal["Service"], service) && anyMatches(s.Action, action)
	})
}
