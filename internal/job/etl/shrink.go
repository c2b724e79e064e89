package etl

import (
	"encoding/json"
	"fmt"
	"strings"

	"kindred/internal/lake/commit"
)

// shrunk refuses a shop that lost most of its rows since the current set, base, or that has nothing
// to recommend: more often than not a table was emptied, or a mapping reads the wrong one.
func shrunk(base commit.Manifest, now Rows, c Counts, o Options) error {
	if o.AcceptShrink || o.MaxShrink == 0 {
		return nil
	}
	var before Details
	if len(base.Details) > 0 {
		_ = json.Unmarshal(base.Details, &before) // a set that is older than these counts has none
	}
	was := rowsOf(base)
	var problems []string
	for _, of := range []struct {
		what        string
		before, now int64
	}{
		{"ratings", was.Ratings, now.Ratings}, {"customers", was.Customers, now.Customers},
		{"products", was.Products, now.Products}, {"products in stock", before.Counts.Products.InStock, c.Products.InStock},
	} {
		if float64(of.now) < (1-o.MaxShrink)*float64(of.before) {
			problems = append(problems, fmt.Sprintf("%s %s, the current set has %s", group(of.now), of.what, group(of.before)))
		}
	}
	if c.Products.InStock == 0 && c.Products.Read > 0 {
		problems = append(problems, "no product has any stock, so nothing could be recommended")
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; the old training set stays; look at the data, then run once with --accept-shrink", ErrShrink,
		strings.Join(problems, "; "))
}
