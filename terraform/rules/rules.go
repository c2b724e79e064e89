// Package rules states what AWS documents about the resources of terraform/, as rules that read a plan.
// A rule finds what AWS would refuse, or what would fail later at run time, without an account and
// without a network. The package does not run Terraform: terraform/acceptance makes the plans
// (`make tf-rules`).
package rules

import (
	"cmp"
	"fmt"
	"slices"
)

// Rule is one sentence of AWS's documentation, and how a plan shows that it holds.
type Rule struct {
	Name   string // what it is about, as words joined by hyphens; each rule has its own
	Says   string // AWS's sentence, shortened to what the rule checks
	Source string // page of the documentation
	Do     string // what to do about a finding
	// Check reports what it looked at, and what breaks the rule. A value that the plan does not know yet
	// breaks no rule.
	Check func(p *Plan, r *Report)
}

// Finding is a resource that breaks a rule.
type Finding struct {
	Rule    *Rule
	Address string // the resource's, in the plan
	Found   string // what it says
}

// String says which rule, which resource, what AWS says and what to do.
func (f Finding) String() string {
	return fmt.Sprintf("rule %s: %s: %s\n\tAWS says: %s (%s)\n\tDo: %s", f.Rule.Name, f.Address, f.Found, f.Rule.Says,
		f.Rule.Source, f.Rule.Do)
}

// Report collects what a rule looked at and what it found. It is not safe for concurrent use.
type Report struct {
	rule     *Rule
	seen     int
	findings []Finding
}

// hold says that the rule looked at a resource, and reports it if ok is false.
func (r *Report) hold(ok bool, x Resource, format string, args ...any) {
	r.seen++
	if !ok {
		r.findings = append(r.findings, Finding{r.rule, x.Address, fmt.Sprintf(format, args...)})
	}
}

// All returns the rules, sorted by name.
func All() []Rule {
	all := slices.Concat(alarmRules(), batchRules(), bucketRules(), callRules(), ciRules(), databaseRules(),
		functionRules(), frontRules(), glueRules(),
		keyRules(), logRules(), networkRules(), roleRules(), scheduleRules(), stateRules(), streamRules(),
		tunnelRules())
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Check applies the rules to the plan. seen counts, by rule, the resources that it looked at.
func Check(p *Plan, all []Rule) (findings []Finding, seen map[string]int) {
	seen = map[string]int{}
	for i := range all {
		r := Report{rule: &all[i]}
		all[i].Check(p, &r)
		findings = append(findings, r.findings...)
		seen[all[i].Name] = r.seen
	}
	return findings, seen
}

// each checks every resource of a type by itself.
func each(kind string, check func(x Resource, r *Report)) func(*Plan, *Report) {
	return func(p *Plan, r *Report) {
		for _, x := range p.Of(kind) {
			check(x, r)
		}
	}
}

// within checks that a number of each resource of a type lies within bounds, if it is set.
func within(kind, path string, least, most float64) func(*Plan, *Report) {
	return each(kind, func(x Resource, r *Report) {
		if value, set := x.Number(path); set {
			r.hold(value >= least && value <= most, x, "%s is %v, not %v to %v", path, value, least, most)
		}
	})
}

// oneOf checks that a text of each resource of a type is one of the words, if it is set.
func oneOf(kind, path string, words ...string) func(*Plan, *Report) {
	return each(kind, func(x Resource, r *Report) {
		if value := x.Text(path); value != "" {
			r.hold(slices.Contains(words, value), x, "%s is %q, not one of %v", path, value, words)
		}
	})
}

// both applies several checks as one rule.
func both(checks ...func(*Plan, *Report)) func(*Plan, *Report) {
	return func(p *Plan, r *Report) {
		for _, check := range checks {
			check(p, r)
		}
	}
}
