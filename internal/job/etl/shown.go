package etl

import (
	"encoding/json"

	"kindred/internal/lake/commit"
)

// Shown is a training set as `etl show` prints it: its manifest, and its rows counted.
type Shown struct {
	commit.Manifest
	Rows Rows `json:"rows"`
}

// Show counts the rows of a training set.
func Show(m commit.Manifest) Shown { return Shown{m, rowsOf(m)} }

// Remembered is what the run that made the set has measured; zero where an earlier program wrote another form.
func (s Shown) Remembered() (d Details) {
	if json.Unmarshal(s.Details, &d) != nil {
		return Details{}
	}
	return d
}

// Measured is one rule, with what was found.
type Measured struct {
	Table    string // whose rows it is about
	What     string // is wrong with a row: "are dated in the future"
	Flag     string // of etl, which sets Limit
	Count    int64
	Of       int64 // rows of the table
	Limit    float64
	Exceeded bool
	Examples []string // the keys of a few rows
}

// Rules are all rules that the rows were measured by.
func (d Details) Rules() []Measured {
	all := rules(d.Counts, d.Limits)
	if d.History != nil {
		all = historyRules(*d.History, d.Limits)
	}
	found := make([]Measured, len(all))
	for i, r := range all {
		found[i] = Measured{Table: r.table, What: r.what, Flag: r.flag, Count: r.count, Of: r.of, Limit: r.limit,
			Exceeded: r.exceeded(), Examples: r.examples(d.Examples)}
	}
	return found
}

// Broken is how often a rule was broken, in all.
func (d Details) Broken() (n int64) {
	for _, r := range d.Rules() {
		n += r.Count
	}
	return n
}
