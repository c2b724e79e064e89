package etl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/shop/mysqlsource"
)

// prepare checks all that can be checked before a row is read: the columns against those of the
// current set, then against the contract. base is the current set.
func prepare(ctx context.Context, from source, base commit.Manifest, o Options) (mysqlsource.Schema, error) {
	now, err := from.Schema(ctx)
	if errors.Is(err, mysqlsource.ErrSchema) { // a table is not there; Check says what else is wrong
		return now, errors.Join(oneLine(from.Check(ctx)))
	}
	if err != nil {
		return now, err
	}
	before := schemaOf(base)
	if o.AcceptSchema {
		before = mysqlsource.Schema{}
	} else if err := sameContract(base, false); err != nil {
		return now, err
	}
	if err := errDrift(gone(before, now)); err != nil {
		return now, err
	}
	if err := oneLine(from.Check(ctx)); err != nil {
		return now, err
	}
	return now, errDrift(narrowed(before, now))
}

// schemaOf reads the source's columns from a manifest; none when it is older than they are.
func schemaOf(m commit.Manifest) mysqlsource.Schema {
	var d Details
	if len(m.Details) == 0 || json.Unmarshal(m.Details, &d) != nil {
		return mysqlsource.Schema{}
	}
	return d.Schema
}

// pair is one data set's columns then and now.
type pair struct {
	name        string
	before, now []mysqlsource.Column
}

func pairs(before, now mysqlsource.Schema) []pair {
	return []pair{{"customers", before.Customers, now.Customers}, {"products", before.Products, now.Products},
		{"ratings", before.Ratings, now.Ratings}, {"interactions", before.Interactions, now.Interactions}}
}

// gone names the columns of the contract that are there no more, with those that may be the same
// under a new name.
func gone(before, now mysqlsource.Schema) (problems []string) {
	for _, p := range pairs(before, now) {
		for _, c := range p.before {
			if _, there := find(p.now, c.Name); there || !c.Contract {
				continue
			}
			problem := fmt.Sprintf("column %s.%s (%v) is gone", p.name, c.Name, c)
			var names []string
			for _, candidate := range p.now {
				if _, old := find(p.before, candidate.Name); !old && candidate.Type == c.Type {
					names = append(names, candidate.Name)
				}
			}
			if len(names) > 0 {
				problem += ", renamed to " + strings.Join(names, " or ") + "?"
			}
			problems = append(problems, problem)
		}
	}
	return problems
}

// narrowed names the columns of the contract that no longer hold what they held. New and widened
// ones pass.
func narrowed(before, now mysqlsource.Schema) (problems []string) {
	for _, p := range pairs(before, now) {
		for _, c := range p.before {
			if today, there := find(p.now, c.Name); there && c.Contract && !today.Holds(c) {
				problems = append(problems, fmt.Sprintf("column %s.%s was %v, is %v", p.name, c.Name, c, today))
			}
		}
	}
	return problems
}

func find(columns []mysqlsource.Column, name string) (mysqlsource.Column, bool) {
	for _, c := range columns {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return mysqlsource.Column{}, false
}

func errDrift(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; look at the data, then run once with --accept-schema", ErrDrift,
		strings.Join(problems, "; "))
}

// sentence is an error whose text is on one line.
type sentence struct{ error }

func (s sentence) Error() string { return strings.ReplaceAll(s.error.Error(), "\n", "; ") }
func (s sentence) Unwrap() error { return s.error }

// oneLine lets joined errors be one sentence.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return sentence{err}
}
