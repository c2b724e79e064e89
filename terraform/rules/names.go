package rules

import "regexp"

// named checks that a name of each resource of a type has a form and at most so many bytes, if it is set.
func named(kind, path, form string, most int) func(*Plan, *Report) {
	pattern := regexp.MustCompile(form)
	return each(kind, func(x Resource, r *Report) {
		if name := x.Text(path); name != "" {
			r.hold(pattern.MatchString(name) && len(name) <= most, x, "%s is %q (%d bytes)", path, name, len(name))
		}
	})
}

// trustOf checks that a service can assume the role at a path of each resource of a type.
func trustOf(kind, path, service string) func(*Plan, *Report) {
	return func(p *Plan, r *Report) {
		for _, x := range p.Of(kind) {
			p.wantTrust(r, x, x.Text(path), service)
		}
	}
}
