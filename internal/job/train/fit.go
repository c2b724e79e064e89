package train

import (
	"context"
	"fmt"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// feedbackBefore is what was known of each customer before their first held-out rating, without the
// held-out pairs: a look at the very product that is to be found would give it away. Of a customer
// without times only the pairs can be left out.
func (d *Data) feedbackBefore(held ...[]evaluation.Rating) []Feedback {
	type pair struct{ customer, product int32 }
	hidden, first := map[pair]bool{}, map[int32]int64{}
	for _, part := range held {
		for _, r := range part {
			hidden[pair{r.Customer, r.Product}] = true
			if at, ok := first[r.Customer]; r.RatedAt != 0 && (!ok || r.RatedAt < at) {
				first[r.Customer] = r.RatedAt
			}
		}
	}
	var before []Feedback
	for _, f := range d.Feedback {
		if at, ok := first[f.Customer]; !hidden[pair{f.Customer, f.Product}] && (!ok || f.At < at) {
			before = append(before, f)
		}
	}
	return before
}

// fitted is a model with a vector for everyone and everything.
type fitted struct {
	model             *ials.Model
	matrix            *ials.Matrix // that it was fitted to
	near              *nearLists   // nil: there are none
	encoder           modelversion.Encoder
	products          *modelversion.ProductEncoder
	customersFeatured []bool // made from features, for want of positives
	itemsFeatured     []bool
	// folded are the customers' vectors by what they did, of a model with given ones; else nil.
	folded []float32
}

// matrix has a row for each customer and a column for each product. The cells are in the order of
// Signal.cells.
func matrix(customers, products int, cells []cell) *ials.Matrix {
	m := &ials.Matrix{Rows: customers, Cols: products, Start: make([]int, customers+1), Col: make([]int32, len(cells)),
		Weight: make([]float32, len(cells))}
	for i, c := range cells {
		m.Start[c.customer+1] = i + 1
		m.Col[i], m.Weight[i] = c.product, c.weight
	}
	for c := range customers {
		m.Start[c+1] = max(m.Start[c+1], m.Start[c])
	}
	return m
}

// fit trains on the positives, then gives those without any a vector from their features.
func fit(ctx context.Context, data *Data, positives []cell, cfg ials.Config,
	progress func(epoch int, loss func() float64)) (*fitted, error) {
	m := matrix(len(data.Customers), len(data.Products), positives)
	model, err := ials.Fit(ctx, m, cfg, progress)
	if err != nil {
		return nil, fmt.Errorf("fit %d interactions: %w", len(m.Col), err)
	}
	f := &fitted{model: model, matrix: m}
	t := m.Transposed()
	var r *ridge
	f.itemsFeatured, r = fillIn(cfg.Dim, t.Rows, t.Empty, productFeatures(data.Products), data.dense(), model.Item)
	f.products = r.productEncoder(data.Products)
	if slices.Contains(f.itemsFeatured, true) {
		// The new item vectors are part of the Gram matrix that serving solves with. One more half-step
		// makes every customer's vector the exact solution of those equations.
		if err := ials.Solve(ctx, m, model.Items, model.Users, cfg); err != nil {
			return nil, fmt.Errorf("settle customers: %w", err)
		}
	}
	f.encode(data, cfg.Dim, m.Empty)
	return f, nil
}

// fit fits a model to a part, or puts the given vectors in its place. hidden are products whose given
// vectors do not count.
func (t *Trainer) fit(ctx context.Context, data *Data, positives []cell, cfg ials.Config, to part,
	hidden map[int32]int32) (*fitted, error) {
	if t.given == nil {
		return fit(ctx, data, positives, cfg, t.epochs("fit for "+string(to)))
	}
	g, err := t.given.of(ctx, to)
	if err != nil {
		return nil, err
	}
	return g.fit(ctx, data, positives, cfg, hidden)
}

// encode learns features → vector on the customers that are not empty, and gives the others a vector.
func (f *fitted) encode(data *Data, dim int, empty func(customer int) bool) {
	f.encoder.CreditEdges = creditEdges(data.Customers)
	features := make([][]string, len(data.Customers))
	further := numberFeatures(len(data.Customers), func(i int) []Number { return data.Customers[i].Numbers })
	for i := range data.Customers {
		features[i] = append(customerFeatures(&data.Customers[i], &f.encoder), further[i]...)
	}
	var r *ridge
	f.customersFeatured, r = fillIn(dim, len(features), empty, features, nil, f.model.User)
	f.encoder.Bias, f.encoder.Weights = r.encoder()
}

// addNear gives the model the chosen neighbours.
func (f *fitted) addNear(used *UsedNear, threads int) { f.near = newNearLists(f.matrix, used, threads) }

// rank scores by all parts.
func (f *fitted) rank() evaluation.Block { return f.near.with(ranker(f.model)) }

// ranker scores by inner product.
func ranker(m *ials.Model) evaluation.Block { return evaluation.Factors(m.Users, m.Items, m.Dim) }
