package vectorstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/modelversion"
	"kindred/internal/recommend"
)

const (
	recallAt = 10 // a page's strip of products
	// recallQueries bounds what measuring costs: 100 exact scans of 300,000 products take about as long as copying them.
	recallQueries = 100
	// minRecall is the floor of both indexes. Below it one strip in two lacks a product that belongs there, and a figure so low
	// has always been a fault of the vectors (many equal ones, a few of enormous length), not bad luck.
	minRecall = 0.95
)

// recall is the share of the ten best products that an index finds.
type recall struct{ products, similar float64 }

// measureRecall asks the fresh indexes and an exact scan the questions that serving will ask, and compares the answers. A product counts as
// found when one just as good is. Errors: ErrRecall under the floor.
func measureRecall(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) (recall, error) {
	m := &model{Model: recommend.Model{Version: v.ID, Solver: v.Solver}, schema: schema, indexed: true}
	var searches []recommend.Search
	var neighbours []recommend.Neighbours
	for i := range recallQueries {
		vector := v.Items[i*len(v.Items)/recallQueries].Vector
		if len(v.Customers) > 0 {
			vector = v.Customers[i*len(v.Customers)/recallQueries].Vector
		}
		searches = append(searches, recommend.Search{Vector: vector, Limit: recallAt})
		neighbours = append(neighbours, recommend.Neighbours{Code: v.Items[i*len(v.Items)/recallQueries].Code, Limit: recallAt})
	}
	gotProducts, gotSimilar, err := m.retrieve(ctx, tx, searches, neighbours)
	if err != nil {
		return recall{}, fmt.Errorf("ask the index: %w", err)
	}
	m.indexed = false // other statements, which cannot take plans made for the index
	if err := execAll(ctx, tx, `SET LOCAL enable_indexscan = off`); err != nil {
		return recall{}, err
	}
	products, similar, err := m.retrieve(ctx, tx, searches, neighbours)
	if err != nil {
		return recall{}, fmt.Errorf("scan: %w", err)
	}
	if err := execAll(ctx, tx, `SET LOCAL enable_indexscan = on`); err != nil {
		return recall{}, err
	}
	var r recall
	r.products = share(products, gotProducts, func(c, worst recommend.Candidate) bool { return c.Score >= worst.Score })
	r.similar = share(similar, gotSimilar, func(c, worst recommend.Similar) bool { return c.Distance <= worst.Distance })
	if r.products < minRecall || r.similar < minRecall {
		return r, fmt.Errorf("%w: %.2f of the 10 best products and %.2f of the 10 most similar ones, of %.2f at least", ErrRecall,
			r.products, r.similar, minRecall)
	}
	return r, nil
}

// share counts how much of want was found: what is as good as the worst that was wanted.
func share[T any](want, got [][]T, asGood func(c, worst T) bool) float64 {
	wanted, found := 0, 0
	for i := range want {
		wanted += len(want[i])
		n := 0
		for _, c := range got[i] {
			if asGood(c, want[i][len(want[i])-1]) {
				n++
			}
		}
		found += min(n, len(want[i]))
	}
	if wanted == 0 {
		return 1
	}
	return float64(found) / float64(wanted)
}
