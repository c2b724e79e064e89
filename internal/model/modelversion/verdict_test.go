package modelversion

import (
	"encoding/json"
	"testing"
)

func TestAndKeepsTheWorstOutcome(t *testing.T) {
	t.Parallel()
	of := func(o Outcome, with Comparison) Verdict { return NewVerdict(o, with, string(with)) }
	for _, a := range []Outcome{OutcomePassed, OutcomeUncompared, OutcomeRefused} {
		for _, b := range []Outcome{OutcomePassed, OutcomeUncompared, OutcomeRefused} {
			want := OutcomePassed
			switch {
			case a == OutcomeRefused || b == OutcomeRefused:
				want = OutcomeRefused
			case a == OutcomeUncompared || b == OutcomeUncompared:
				want = OutcomeUncompared
			}
			v := of(a, WithBaselines).And(of(b, WithLive))
			if v.Decision() != want || v.Pass != (want == OutcomePassed) || len(v.Reasons) != 2 {
				t.Errorf("%s and %s give %+v", a, b, v)
			}
		}
	}
}

// TestMayReplace holds the rule that the documentation states.
func TestMayReplace(t *testing.T) {
	t.Parallel()
	passed := NewVerdict(OutcomePassed, WithBaselines)
	refused := NewVerdict(OutcomeRefused, WithBaselines)
	unknown := NewVerdict(OutcomeUncompared, WithBaselines)
	noNews := passed.And(NewVerdict(OutcomeUncompared, WithLive))
	yesterday := Verdict{Pass: true}
	popular := PopularityVerdict("m1")
	tests := map[string]struct {
		v    Verdict
		live *Verdict
		want bool
	}{
		"passed, the first": {passed, nil, true},
		"passed":            {passed, &passed, true},
		"passed, as yesterday's trainer wrote it":  {yesterday, &passed, true},
		"refused, the first":                       {refused, nil, false},
		"refused":                                  {refused, &unknown, false},
		"refused, as yesterday's trainer wrote it": {Verdict{}, nil, false},
		"nothing newer to compare on":              {noNews, &passed, true},
		"unknown, the first":                       {unknown, nil, true},
		"unknown, in place of unknown":             {unknown, &unknown, true},
		"unknown, in place of one that was forced": {unknown, &refused, true},
		"unknown, in place of one that passed":     {unknown, &passed, false},
		"unknown, in place of yesterday's":         {unknown, &yesterday, false},
		"unknown, in place of a judged one":        {unknown, &noNews, false},
		"popularity, the first":                    {popular, nil, true},
		"popularity, in place of popularity":       {popular, &popular, true},
		"popularity, in place of unknown":          {popular, &unknown, true},
		"popularity, in place of one that passed":  {popular, &passed, false},
		"popularity, in place of a judged one":     {popular, &noNews, false},
		"popularity, in place of a forced one":     {popular, &refused, false},
		"passed, in place of popularity":           {passed, &popular, true},
		"unknown, in place of popularity":          {unknown, &popular, true},
		"refused, in place of popularity":          {refused, &popular, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if why, ok := test.v.MayReplace(test.live); ok != test.want || ok != (why == "") {
				t.Errorf("may replace: %t (%s), want %t", ok, why, test.want)
			}
		})
	}
}

func TestSameFactors(t *testing.T) {
	t.Parallel()
	trained, carried := Verdict{}, Verdict{CarriedFrom: "m1"}
	if !SameFactors("m1", trained, "m2", carried) || !SameFactors("m2", carried, "m3", carried) ||
		!SameFactors("m2", carried, "m1", trained) || SameFactors("m2", trained, "m1", trained) ||
		SameFactors("m1", trained, "m2", Verdict{CarriedFrom: "m4"}) {
		t.Error("versions with the same factors are taken for others, or others for the same")
	}
}

// TestYesterdaysVerdict reads what commit 5ebc858 wrote.
func TestYesterdaysVerdict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Outcome{
		`{"pass": true, "reasons": ["NDCG@10 0.4 beats random's 0.1 for certain: …"]}`: OutcomePassed,
		`{"pass": false, "reasons": ["Only 3 customers have held-out products …"]}`:    OutcomeRefused,
	} {
		var v Verdict
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.Decision() != want || len(v.Reasons) != 1 {
			t.Errorf("%s is %+v, %v", text, v, err)
		}
	}
}
