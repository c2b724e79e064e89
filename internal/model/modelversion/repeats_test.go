package modelversion

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyRepeat draws a rule.
func anyRepeat() *rapid.Generator[Repeat] {
	return rapid.Custom(func(t *rapid.T) Repeat {
		hours := rapid.Int64Range(1, 24*365*3).Draw(t, "hours")
		return rapid.SampledFrom([]Repeat{RepeatHide, RepeatShow, Repeat(hours * 3600), Repeat(hours * 24 * 3600)}).
			Draw(t, "rule")
	})
}

// TestARuleIsItsText: what a rule is written as is read as the same rule.
func TestARuleIsItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRepeat().Draw(t, "rule")
		if back, err := ParseRepeat(rule.String()); err != nil || back != rule {
			t.Fatalf("%s is read as %s, %v", rule, back, err)
		}
	})
	for text, want := range map[string]Repeat{"after=36h": 36 * 3600, "after=2w": 14 * 24 * 3600,
		"after=30d": 30 * 24 * 3600} {
		if got, err := ParseRepeat(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "after", "after=", "after=d", "after=0d", "after=-1d", "after=30", "after=30m",
		"after=999999w", "0.5", "Hide"} {
		if rule, err := ParseRepeat(bad); err == nil {
			t.Errorf("%q is read as %s", bad, rule)
		}
	}
}

// TestARuleHidesForItsPeriod: until its end, and not a moment longer.
func TestARuleHidesForItsPeriod(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRepeat().Draw(t, "rule")
		last := rapid.Int64Range(0, 2_000_000_000).Draw(t, "last")
		at := time.Unix(last+rapid.Int64Range(-10, 10).Draw(t, "seconds")+max(int64(rule), 0), 0)
		want := rule == RepeatHide || rule > 0 && (last == 0 || at.Unix() < last+int64(rule))
		if got := rule.Hides(last, at); got != want {
			t.Fatalf("%s, bought at %d, hidden at %d: %v", rule, last, at.Unix(), got)
		}
	})
}

func TestRulesOfAShop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given []string
		want  *Repeats
		fails bool
	}{
		"none": {nil, nil, false},
		"hide": {[]string{"hide"}, nil, false},
		"show": {[]string{"show"}, &Repeats{Rule: RepeatShow}, false},
		"a category": {[]string{"Tea=after=2w"}, &Repeats{Categories: map[string]Repeat{"Tea": 14 * 24 * 3600}},
			false},
		"odd categories": {[]string{"after=show", "a=b=hide", "show"}, &Repeats{Rule: RepeatShow,
			Categories: map[string]Repeat{"after": RepeatShow, "a=b": RepeatHide}}, false},
		"two for the shop":   {[]string{"show", "after=1d"}, nil, true},
		"two for a category": {[]string{"Tea=show", "Tea=hide"}, nil, true},
		"a weight":           {[]string{"0.5"}, nil, true},
	} {
		got, err := ParseRepeats(test.given)
		if (err != nil) != test.fails || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if got == nil {
			continue
		}
		text, err := json.Marshal(got)
		var back Repeats
		if err != nil || json.Unmarshal(text, &back) != nil || !reflect.DeepEqual(&back, got) {
			t.Errorf("%s: as JSON %s, %v", name, text, err)
		}
	}
	rules := Repeats{Rule: RepeatShow, Categories: map[string]Repeat{"Tea": RepeatHide, "Cups": 3600}}
	if a, b, c := rules.Of([]string{"new", "Cups", "Tea"}), rules.Of(nil), (*Repeats)(nil).
		Of([]string{"Tea"}); a != 3600 || b != RepeatShow || c != RepeatHide {
		t.Errorf("%s, %s, %s", a, b, c)
	}
}
