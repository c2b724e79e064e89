package etl

import (
	"encoding/json"
	"fmt"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
)

// shrunk refuses a shop that lost most of its rows since the current set, base, or that has nothing
// to recommend: more often than not a table was emptied, or a mapping reads the wrong one.
func shrunk(base commit.Manifest, now Rows, d Details, o Options) error {
	if o.AcceptShrink || o.MaxShrink == 0 || o.MaxShrink >= 1 {
		return nil
	}
	var old Details
	if len(base.Details) > 0 {
		_ = json.Unmarshal(base.Details, &old) // a set that is older than these counts has none
	}
	was := rowsOf(base)
	products, inStock := d.available()
	_, before := old.available()
	var problems []string
	if d.History != nil != trainingset.IsHistory(base) { // its rows are of another kind, and accepted
		was, before = Rows{}, 0
	}
	for _, of := range []struct {
		what        string
		before, now int64
	}{
		{"ratings", was.Ratings, now.Ratings}, {"interactions", was.Interactions, now.Interactions},
		{"customers", was.Customers, now.Customers},
		{"products", was.Products, now.Products}, {"products in stock", before, inStock},
	} {
		if float64(of.now) < (1-o.MaxShrink)*float64(of.before) {
			problems = append(problems, fmt.Sprintf("%s %s, the current set has %s", group(of.now), of.what, group(of.before)))
		}
	}
	if inStock == 0 && products > 0 {
		problems = append(problems, "no product has any stock, so nothing could be recommended")
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; the old training set stays; look at the data, then run once with --accept-shrink",
		ErrShrink, strings.Join(problems, "; "))
}

// available is how many products were read, and how many of them can be bought now.
func (d Details) available() (products, inStock int64) {
	if d.History != nil {
		return d.History.Products, d.History.Available
	}
	return d.Counts.Products.Read, d.Counts.Products.InStock
}
