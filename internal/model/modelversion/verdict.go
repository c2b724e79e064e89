package modelversion

import "slices"

// Outcome is the gate's decision in a word.
type Outcome string

const (
	// OutcomePassed is better than every baseline, and not worse than the live version.
	OutcomePassed Outcome = "passed"
	// OutcomeRefused means that at least one comparison was lost.
	OutcomeRefused Outcome = "refused"
	// OutcomeUncompared means that none was lost, but at least one could not be made, for want of
	// customers to test with. Nothing says that the version is bad, and nothing says that it is good.
	OutcomeUncompared Outcome = "uncompared"
)

// Comparison is what a version is measured against.
type Comparison string

// The gate's comparisons.
const (
	WithBaselines Comparison = "baselines"
	WithLive      Comparison = "live" // the last version that the gate did not refuse
)

// Verdict is the gate's decision, with sentences that a product manager reads.
type Verdict struct {
	Pass bool `json:"pass"` // the outcome is OutcomePassed
	// Outcome is empty in reports written before it existed: use Decision.
	Outcome Outcome `json:"outcome,omitempty"`
	// Missing are the comparisons that could not be made.
	Missing []Comparison `json:"uncompared_with,omitempty"`
	// CarriedFrom is the version whose factors, report and verdict this one carries, because only
	// names or stock have changed since. Empty: it was trained.
	CarriedFrom string `json:"carried_from,omitempty"`
	// Popularity says that the version is of KindPopularity: no model has passed.
	Popularity bool `json:"popularity,omitempty"`
	// InsteadOf is the refused version that popularity answers instead of. Empty: there is no model.
	InsteadOf string   `json:"instead_of,omitempty"`
	Reasons   []string `json:"reasons"`
}

// PopularityVerdict is the verdict on a version of KindPopularity. It was compared with nothing: it
// is what models are compared with.
func PopularityVerdict(insteadOf string, reasons ...string) Verdict {
	v := NewVerdict(OutcomeUncompared, WithBaselines,
		slices.Concat([]string{"No model has passed the gate, so popularity answers."}, reasons)...)
	v.Popularity, v.InsteadOf = true, insteadOf
	return v
}

// NewVerdict is the verdict on one comparison.
func NewVerdict(outcome Outcome, with Comparison, reasons ...string) Verdict {
	v := Verdict{Outcome: outcome, Pass: outcome == OutcomePassed, Reasons: reasons}
	if outcome == OutcomeUncompared {
		v.Missing = []Comparison{with}
	}
	return v
}

// And is the verdict on the comparisons of both: refused if one is, otherwise uncompared if one is.
func (v Verdict) And(w Verdict) Verdict {
	both := Verdict{Missing: slices.Concat(v.Missing, w.Missing), Reasons: slices.Concat(v.Reasons, w.Reasons),
		CarriedFrom: v.CarriedFrom}
	switch {
	case v.Decision() == OutcomeRefused || w.Decision() == OutcomeRefused:
		both.Outcome = OutcomeRefused
	case len(both.Missing) > 0:
		both.Outcome = OutcomeUncompared
	default:
		both.Outcome, both.Pass = OutcomePassed, true
	}
	return both
}

// Decision is the outcome, also of a verdict that was written before outcomes were.
func (v Verdict) Decision() Outcome {
	switch {
	case v.Outcome != "":
		return v.Outcome
	case v.Pass:
		return OutcomePassed
	}
	return OutcomeRefused
}

// Judged says whether the version was compared with the baselines and beats them.
func (v Verdict) Judged() bool {
	return v.Decision() != OutcomeRefused && !slices.Contains(v.Missing, WithBaselines)
}
