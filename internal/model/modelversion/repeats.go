package modelversion

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Repeat says what becomes of a product that a customer has bought or rated before: it is hidden for
// ever, shown like any other, or hidden for so many seconds.
type Repeat int64

// The rules without a period. RepeatHide is the zero value.
const (
	RepeatHide Repeat = 0
	RepeatShow Repeat = -1
)

// periods are the units of a period, in seconds.
var periods = map[byte]int64{'h': 60 * 60, 'd': 24 * 60 * 60, 'w': 7 * 24 * 60 * 60}

// longestPeriod is a century: nothing is hidden longer and comes back.
const longestPeriod = 100 * 366 * 24 * 60 * 60

// ParseRepeat reads hide, show, or after= and a number of hours, days or weeks: after=30d.
func ParseRepeat(text string) (Repeat, error) {
	switch text {
	case "hide":
		return RepeatHide, nil
	case "show":
		return RepeatShow, nil
	}
	period, after := strings.CutPrefix(text, "after=")
	if after && len(period) > 1 {
		unit := periods[period[len(period)-1]]
		n, err := strconv.ParseInt(period[:len(period)-1], 10, 32)
		if err == nil && unit > 0 && n > 0 && n <= longestPeriod/unit {
			return Repeat(n * unit), nil
		}
	}
	return 0, fmt.Errorf("%q is not a rule for what was bought: want hide, show, or a period such as after=30d (h, "+
		"d or w)", text)
}

// String is the text that ParseRepeat reads.
func (r Repeat) String() string {
	switch {
	case r == RepeatHide:
		return "hide"
	case r < 0:
		return "show"
	case int64(r)%periods['d'] == 0:
		return fmt.Sprintf("after=%dd", int64(r)/periods['d'])
	}
	return fmt.Sprintf("after=%dh", int64(r)/periods['h'])
}

// MarshalText writes String.
func (r Repeat) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Repeat) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRepeat(string(text))
	return err
}

// The ends of time, for Until.
const (
	Always = math.MinInt64 // it was never hidden
	Never  = math.MaxInt64 // it stays hidden
)

// Until is the moment, in unix seconds, from which a product is recommended again that somebody last
// bought at last: Always, Never, or a time. Where last is not known (0), only RepeatShow shows it.
func (r Repeat) Until(last int64) int64 {
	switch {
	case r < 0:
		return Always
	case r == RepeatHide || last == 0:
		return Never
	}
	return last + int64(r)
}

// Hides reports whether a product that was last bought at last is left out at a time.
func (r Repeat) Hides(last int64, at time.Time) bool {
	switch until := r.Until(last); until {
	case Always:
		return false
	case Never:
		return true
	default:
		return time.Unix(until, 0).After(at)
	}
}

// Repeats are the rules of a shop. A nil one hides everything that was bought before.
type Repeats struct {
	Rule       Repeat            `json:"rule"`
	Categories map[string]Repeat `json:"categories,omitempty"` // before Rule, for the products of a category
}

// ParseRepeats reads rules: one for the shop, and others as CATEGORY=RULE. Without any it is nil.
func ParseRepeats(rules []string) (*Repeats, error) {
	var all Repeats
	given := false
	for _, text := range rules {
		category, rule := "", text
		for _, tail := range []string{"=hide", "=show", "=after="} {
			if at := strings.LastIndex(text, tail); at > 0 {
				category, rule = text[:at], text[at+1:]
			}
		}
		r, err := ParseRepeat(rule)
		if err != nil {
			return nil, err
		}
		_, twice := all.Categories[category]
		switch {
		case category == "" && given || twice:
			return nil, fmt.Errorf("there are two rules for %q", cmp.Or(category, "the shop"))
		case category == "":
			all.Rule, given = r, true
		default:
			if all.Categories == nil {
				all.Categories = map[string]Repeat{}
			}
			all.Categories[category] = r
		}
	}
	if len(rules) == 0 || all.hidesAll() {
		return nil, nil
	}
	return &all, nil
}

func (r *Repeats) hidesAll() bool {
	if r == nil {
		return true
	}
	for _, rule := range r.Categories {
		if rule != RepeatHide {
			return false
		}
	}
	return r.Rule == RepeatHide
}

// Of is the rule for a product: that of the first of its categories that has one, else the shop's.
func (r *Repeats) Of(categories []string) Repeat {
	if r == nil {
		return RepeatHide
	}
	for _, c := range categories {
		if rule, ok := r.Categories[c]; ok {
			return rule
		}
	}
	return r.Rule
}

// String is the rules in words.
func (r *Repeats) String() string {
	if r == nil {
		return RepeatHide.String()
	}
	parts := []string{}
	for category, rule := range r.Categories {
		parts = append(parts, category+"="+rule.String())
	}
	slices.Sort(parts)
	return strings.Join(append([]string{r.Rule.String()}, parts...), ", ")
}
