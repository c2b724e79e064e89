package vectorstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
)

const (
	// ExactBelow is the number of items below which no index is built: an exact scan, right by
	// definition, is as fast. `make bench-retrieve` prints it. At 64 components, a scan of 2,000 items
	// takes 0.6 ms and a search by index 0.7; at 3,000 items they take 0.8 and 0.5 ms.
	ExactBelow = 3_000
	// maxIndexDim is the largest dimension that an HNSW index of pgvector accepts for type vector.
	maxIndexDim = 2000

	recallAt = 10 // a page's strip of products
	// recallQueries bounds what measuring costs: 100 exact scans of 300,000 products take about as
	// long as copying them.
	recallQueries = 100
	// goodRecall is what a search is widened for. At 0.98 one strip in five shows one product that is
	// not quite among the best.
	goodRecall = 0.98
	// minRecall is the floor of both indexes. Where even the widest search stays below it, every
	// second strip lacks a product that belongs there, and the vectors are at fault: many equal ones,
	// or a few of enormous length.
	minRecall = 0.95
)

// efSearches are the widths of a search that are tried, as hnsw.ef_search. Each doubling takes
// nearly twice the time: clustered vectors of 41,000 products need 200, evenly spread ones 100.
func efSearches() []int { return []int{100, 200, 400, 800} }

// indexFor is how the products of a version are searched: indexHNSW or indexExact.
func indexFor(v *modelversion.Version) string {
	if len(v.Items) >= ExactBelow && v.Solver.Dim <= maxIndexDim {
		return indexHNSW
	}
	return indexExact
}

// createIndexes builds the HNSW indexes of a version's products, with pgvector's default settings:
// one by inner product for recommendations, one by cosine for similar products.
func createIndexes(ctx context.Context, tx pgx.Tx, schema string) error {
	return execAll(ctx, tx, `CREATE INDEX ON `+schema+`.item USING hnsw (embedding vector_ip_ops)`,
		`CREATE INDEX ON `+schema+`.item USING hnsw (embedding vector_cosine_ops)`)
}

// recall is the share of the ten best products that the indexes find when a search keeps efSearch candidates.
type recall struct {
	efSearch          int
	products, similar float64
}

// recordRecall measures the recall of a version and records it. A version that answers by popularity
// has many equal vectors; where its index misses too many of them, its products are scanned.
func recordRecall(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	r, err := measureRecall(ctx, tx, schema, v)
	if errors.Is(err, ErrRecall) && v.Solver.Kind == modelversion.KindPopularity {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measure recall: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE kindred.model_version SET ef_search = $2, recall = $3, similar_recall = $4 WHERE version = $1`,
		v.ID, r.efSearch, r.products, r.similar)
	if err != nil {
		return fmt.Errorf("record recall: %w", err)
	}
	return nil
}

// measureRecall asks the fresh indexes the questions that serving will ask, wider and wider until
// they find enough of what an exact scan finds. A product counts as found when one just as good is.
// Errors: ErrRecall under the floor.
func measureRecall(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) (r recall, err error) {
	m := &model{Model: recommend.Model{Version: v.ID, Solver: v.Solver}, schema: schema}
	var searches []recommend.Search
	var neighbours []recommend.Neighbours
	for i := range recallQueries {
		item := v.Items[i*len(v.Items)/recallQueries]
		search := recommend.Search{Vector: item.Vector, Limit: recallAt}
		if len(v.Customers) > 0 {
			search.Vector = v.Customers[i*len(v.Customers)/recallQueries].Vector
		}
		searches, neighbours = append(searches, search), append(neighbours,
			recommend.Neighbours{Code: item.Code, Limit: recallAt})
	}
	products, similar, err := m.retrieve(ctx, tx, searches, neighbours)
	if err != nil {
		return recall{}, fmt.Errorf("scan: %w", err)
	}
	for _, m.efSearch = range efSearches() {
		gotProducts, gotSimilar, err := m.retrieve(ctx, tx, searches, neighbours)
		if err != nil {
			return recall{}, fmt.Errorf("ask the index: %w", err)
		}
		r = recall{efSearch: m.efSearch,
			products: share(products, gotProducts, func(c, worst recommend.Candidate) bool { return c.Score >= worst.Score }),
			similar:  share(similar, gotSimilar, func(c, worst recommend.Similar) bool { return c.Distance <= worst.Distance })}
		if min(r.products, r.similar) >= goodRecall {
			break
		}
	}
	if min(r.products, r.similar) < minRecall {
		return r, fmt.Errorf("%w: %.2f of the 10 best products and %.2f of the 10 most similar ones, of %.2f at least",
			ErrRecall,
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
