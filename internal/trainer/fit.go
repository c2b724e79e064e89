package trainer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"kindred/internal/evaluation"
	"kindred/internal/ials"
	"kindred/internal/modelversion"
	"kindred/internal/shop"
)

// Data is what a training set holds, with ratings pointing into the sorted customers and products.
type Data struct {
	Customers []shop.Customer // sorted by Number
	Products  []shop.Product  // sorted by Code
	Ratings   []evaluation.Rating
}

// fitted is a model with a vector for everyone and everything.
type fitted struct {
	model             *ials.Model
	encoder           modelversion.Encoder
	customersFeatured []bool // made from features, for want of positives
	itemsFeatured     []bool
}

// matrix has a row for each customer and a column for each product. A pair occurs once in ratings, which may be in any order.
func matrix(customers, products int, ratings []evaluation.Rating, signal Signal) *ials.Matrix {
	ratings = slices.Clone(ratings)
	slices.SortFunc(ratings, func(a, b evaluation.Rating) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Product, b.Product))
	})
	m := &ials.Matrix{Rows: customers, Cols: products, Start: make([]int, customers+1)}
	for _, r := range ratings {
		if signal.Preference(r.Stars) > 0 {
			m.Start[r.Customer+1]++
		}
	}
	for c := range customers {
		m.Start[c+1] += m.Start[c]
	}
	m.Col, m.Weight = make([]int32, m.Start[customers]), make([]float32, m.Start[customers])
	next := append([]int(nil), m.Start...)
	for _, r := range ratings {
		if w := signal.Preference(r.Stars); w > 0 {
			m.Col[next[r.Customer]], m.Weight[next[r.Customer]] = r.Product, w
			next[r.Customer]++
		}
	}
	return m
}

// fit trains on the ratings, then gives those without positives a vector from their features.
func fit(ctx context.Context, data *Data, ratings []evaluation.Rating, signal Signal, cfg ials.Config,
	progress func(epoch int, loss func() float64)) (*fitted, error) {
	m := matrix(len(data.Customers), len(data.Products), ratings, signal)
	model, err := ials.Fit(ctx, m, cfg, progress)
	if err != nil {
		return nil, fmt.Errorf("fit %d interactions: %w", len(m.Col), err)
	}
	f := &fitted{model: model}
	t := m.Transposed()
	if f.itemsFeatured, _ = fillIn(cfg.Dim, t, productFeatures(data.Products), model.Item); slices.Contains(f.itemsFeatured, true) {
		// The new item vectors are part of the Gram matrix that serving solves with. One more half-step makes every customer's
		// vector the exact solution of those equations.
		if err := ials.Solve(ctx, m, model.Items, model.Users, cfg); err != nil {
			return nil, fmt.Errorf("settle customers: %w", err)
		}
	}
	f.encoder.CreditEdges = creditEdges(data.Customers)
	features := make([][]string, len(data.Customers))
	for i, c := range data.Customers {
		features[i] = customerFeatures(c, &f.encoder)
	}
	var r *ridge
	f.customersFeatured, r = fillIn(cfg.Dim, m, features, model.User)
	r.fill(&f.encoder)
	return f, nil
}

// fillIn learns features → vector on the rows of m that have cells, and writes the others' vectors. It says which those are.
func fillIn(dim int, m *ials.Matrix, features [][]string, vector func(int) []float32) (filled []bool, r *ridge) {
	var known [][]float32
	var knownFeatures [][]string
	filled = make([]bool, m.Rows)
	for i := range m.Rows {
		if filled[i] = m.Start[i] == m.Start[i+1]; !filled[i] {
			known, knownFeatures = append(known, vector(i)), append(knownFeatures, features[i])
		}
	}
	r = fitRidge(dim, known, knownFeatures)
	for i := range m.Rows {
		if filled[i] {
			copy(vector(i), r.vector(features[i]))
		}
	}
	return filled, r
}

// ranker scores by inner product.
func ranker(m *ials.Model) evaluation.Block { return evaluation.Factors(m.Users, m.Items, m.Dim) }
