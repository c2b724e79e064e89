package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/checksum"
)

// ErrGiven says that given vectors do not fit the training set, or each other.
var ErrGiven = errors.New("the vectors do not fit")

// Given are vectors that another system has learned. They take the place of fitting: a version keeps
// them up to a power of two, so that no order of products changes.
type Given struct {
	Name  string // of the model, for people
	Items Named
	// Customers may be nil: then every customer is folded in from what they did.
	Customers *Named
	// Until is a moment after which the other system has learned nothing, in unix seconds; 0: nobody
	// knows. Only what came later tests the vectors honestly.
	Until int64
	// MostUnknown is the largest share of ids that the training set need not know.
	MostUnknown float64
	// Fits, if not nil, take the place of Items and Customers.
	Fits *Fits
}

// Named are vectors by id.
type Named struct {
	File   string // for people
	Dim    int
	IDs    []string  // distinct
	Values []float32 // finite
	Hash   string    // of ids and values
}

// Import is what a version remembers of the vectors that it was given.
type Import struct {
	Name      string  `json:"name,omitempty"`
	Items     Joined  `json:"items"`
	Customers *Joined `json:"customers,omitempty"`
	// LearnedUntil is when the other system learned last, in unix seconds; absent: nobody knows.
	LearnedUntil int64 `json:"learned_until,omitempty"`
	// ItemScale and CustomerScale are the powers of two that the vectors were multiplied by.
	ItemScale     float64 `json:"item_scale"`
	CustomerScale float64 `json:"customer_scale,omitempty"`
}

// Joined counts the vectors of a file.
type Joined struct {
	Hash    string `json:"hash"` // of ids and vectors, whatever the file's form and order
	Given   int    `json:"given"`
	Used    int    `json:"used"`
	Unknown int    `json:"unknown"` // ids that the training set does not have
	Zero    int    `json:"zero"`    // vectors of zeros, which say nothing and are not used
	Missing int    `json:"missing"` // products, or customers, of the training set without a vector
}

// inputHash is of everything that a version of given vectors is made from: what a fitted one would be
// made from, and the vectors' content, whatever the form of their files. That of fits does not depend
// on their vectors, so that it is known before they are made.
func (g *Given) inputHash(learned string) string {
	if g.Fits != nil {
		return checksum.Bytes([]byte("fits\n" + learned + "\n" + g.Fits.Method))
	}
	parts := []string{"given", learned, g.Name, strconv.FormatInt(g.Until, 10), g.Items.Hash, ""}
	if g.Customers != nil {
		parts[len(parts)-1] = g.Customers.Hash
	}
	return checksum.Bytes([]byte(strings.Join(parts, "\n")))
}

// given are the vectors in the order of the data.
type given struct {
	dim              int
	items, customers []float32
	hasItem, hasOwn  []bool // by product, and by customer
	features         [][]string
	embeddings       *dense
	notes            *Import
	fits             *Fits // nil: the vectors are the same for every part
}

// join finds the vectors of the data's products and customers.
func (g *Given) join(ctx context.Context, data *Data) (*given, error) {
	j := &given{features: productFeatures(data.Products), embeddings: data.dense(),
		notes: &Import{Name: g.Name, LearnedUntil: g.Until}}
	if g.Fits != nil {
		return g.joinFits(ctx, data, j)
	}
	if g.Customers != nil && g.Customers.Dim != g.Items.Dim {
		return nil, fmt.Errorf("the vectors in %s have %d components, and those in %s have %d: %w", g.Items.File, g.Items.Dim,
			g.Customers.File, g.Customers.Dim, ErrGiven)
	}
	j.dim = g.Items.Dim
	var err error
	j.items, j.hasItem, j.notes.Items, j.notes.ItemScale, err = g.Items.join("products", len(data.Products), g.MostUnknown,
		0, func(i int) (string, bool) { return data.Products[i].ID, true })
	if err != nil || g.Customers == nil {
		j.customers, j.hasOwn = make([]float32, len(data.Customers)*j.dim), make([]bool, len(data.Customers))
		return j, err
	}
	j.notes.Customers = &Joined{}
	j.customers, j.hasOwn, *j.notes.Customers, j.notes.CustomerScale, err = g.Customers.join("customers",
		len(data.Customers), g.MostUnknown, 0, func(i int) (string, bool) {
			return data.Customers[i].ID, !data.Customers[i].Guest
		})
	return j, err
}

// join puts the vectors in the order of rows, scaled. scale is a power of two; 0 chooses the one that
// brings their mean squared length nearest to one. of is a row's id; false: the row has none.
func (n *Named) join(what string, rows int, mostUnknown, scale float64, of func(int) (string, bool)) (vectors []float32,
	has []bool, counts Joined, scaledBy float64, err error) {
	d := n.Dim
	places := make(map[string]int, len(n.IDs))
	for i, id := range n.IDs {
		places[id] = i
	}
	vectors, has = make([]float32, rows*d), make([]bool, rows)
	counts = Joined{Hash: n.Hash, Given: len(n.IDs), Unknown: len(n.IDs)}
	var squares float64
	for row := range rows {
		id, ok := of(row)
		if !ok {
			continue
		}
		i, ok := places[id]
		if !ok {
			counts.Missing++
			continue
		}
		counts.Unknown--
		length := 0.0
		for _, x := range n.Values[i*d : (i+1)*d] {
			length += float64(x) * float64(x)
		}
		if length == 0 {
			counts.Zero++
			counts.Missing++
			continue
		}
		squares += length
		has[row] = true
		counts.Used++
		copy(vectors[row*d:], n.Values[i*d:(i+1)*d])
	}
	switch share := float64(counts.Unknown) / float64(max(counts.Given, 1)); {
	case counts.Used == 0 && counts.Zero > 0:
		return nil, nil, counts, 0, fmt.Errorf("all vectors in %s are zero: %w", n.File, ErrGiven)
	case counts.Used == 0:
		return nil, nil, counts, 0, fmt.Errorf("none of the %d ids in %s is one of the training set's %s; ids are compared "+
			"as text: %w",
			counts.Given, n.File, what, ErrGiven)
	case share > mostUnknown:
		return nil, nil, counts, 0, fmt.Errorf(
			"%d of the %d ids in %s are none of the training set's %s, more than --max-unknown %g "+
				"allows; ids are compared as text: %w", counts.Unknown, counts.Given, n.File, what, mostUnknown, ErrGiven)
	}
	if scale == 0 {
		scale = powerOfTwo(math.Sqrt(float64(counts.Used) / squares))
	}
	multiply(vectors, scale)
	return vectors, has, counts, scale, nil
}

// powerOfTwo is the power of two that is nearest to x > 0, by its logarithm.
func powerOfTwo(x float64) float64 { return math.Exp2(math.Round(math.Log2(x))) }

// multiply scales by a power of two: no bit of a mantissa changes.
func multiply(x []float32, by float64) {
	for i := range x {
		x[i] = float32(float64(x[i]) * by)
	}
}

// itemsOf is the products' vectors. Those without one have what their features say, and so have those
// that hidden names. r is what features say.
func (g *given) itemsOf(hidden map[int32]int32) (items []float32, featured []bool, r *ridge) {
	items = append([]float32(nil), g.items...)
	featured, r = fillIn(g.dim, len(g.hasItem), func(p int) bool {
		_, hide := hidden[int32(p)]
		return !g.hasItem[p] || hide
	}, g.features, g.embeddings, func(p int) []float32 { return items[p*g.dim : (p+1)*g.dim] })
	return items, featured, r
}

// fold solves every customer's equations with the given products' vectors.
func (g *given) fold(ctx context.Context, m *ials.Matrix, items []float32, cfg ials.Config) (*ials.Model, error) {
	model := &ials.Model{Dim: g.dim, Items: items, Users: make([]float32, m.Rows*g.dim)}
	if err := ials.Solve(ctx, m, items, model.Users, cfg); err != nil {
		return nil, fmt.Errorf("fold %d interactions in: %w", len(m.Col), err)
	}
	return model, nil
}

// fit is what takes fit's place.
func (g *given) fit(ctx context.Context, data *Data, positives []cell, cfg ials.Config,
	hidden map[int32]int32) (*fitted, error) {
	m := matrix(len(data.Customers), len(data.Products), positives)
	items, featured, r := g.itemsOf(hidden)
	model, err := g.fold(ctx, m, items, cfg)
	if err != nil {
		return nil, err
	}
	f := &fitted{model: model, matrix: m, itemsFeatured: featured, products: r.productEncoder(data.Products)}
	if g.notes.Customers != nil {
		f.folded = append([]float32(nil), model.Users...)
	}
	for c, has := range g.hasOwn {
		if has {
			copy(model.User(c), g.customers[c*g.dim:(c+1)*g.dim])
		}
	}
	f.encode(data, cfg.Dim, func(c int) bool { return !g.hasOwn[c] && m.Start[c] == m.Start[c+1] })
	return f, nil
}

// scaleCustomers multiplies the customers' vectors.
func (g *given) scaleCustomers(by float64) {
	multiply(g.customers, by)
	g.notes.CustomerScale *= by
}

// likesScale is the power of two that brings the scores of likes nearest to one, as serving's equations
// want, if customers' vectors are multiplied by it: the factor that minimises their error over the given
// rows. It is 1 for vectors that like nothing of what their customers like.
func (g *given) likesScale(m *ials.Matrix, items []float32, cfg ials.Config) float64 {
	if g.notes.Customers == nil {
		return 1
	}
	var likes, squares float64
	for c, has := range g.hasOwn {
		if !has {
			continue
		}
		user := g.customers[c*g.dim : (c+1)*g.dim]
		cols, weights := m.Row(c)
		for i, p := range cols {
			score := 0.0
			for j, x := range items[int(p)*g.dim : (int(p)+1)*g.dim] {
				score += float64(x) * float64(user[j])
			}
			likes += float64(weights[i]) * score
			squares += float64(weights[i]) * score * score
		}
	}
	// Σ over all pairs of score² is the inner product of both Gram matrices.
	all := ials.Gram(items, g.dim, cfg.Threads)
	for i, x := range ials.Gram(g.customers, g.dim, cfg.Threads) {
		squares += cfg.Alpha0 * float64(x) * float64(all[i])
	}
	if likes <= 0 || squares <= 0 {
		return 1
	}
	return powerOfTwo(likes / squares)
}

// later moves what is held out into the training part if the other system may have learned from it.
func (g *Given) later(c evaluation.Cut) evaluation.Cut {
	if g == nil || g.Until == 0 {
		return c
	}
	cut := evaluation.Cut{Train: append([]evaluation.Rating(nil), c.Train...), Ties: c.Ties,
		Name: c.Name + "; of them those after the given vectors were learned"}
	for _, r := range c.Held {
		if r.RatedAt > g.Until {
			cut.Held = append(cut.Held, r)
		} else {
			cut.Train = append(cut.Train, r)
		}
	}
	return cut
}

// honest says that nothing was learned from what is held out.
func (g *Given) honest() bool { return g == nil || g.Until != 0 || g.Fits != nil }

// compared is the verdict on given vectors beside the live version: without Until a comparison that
// they did not lose says nothing.
func (g *Given) compared(v modelversion.Verdict) modelversion.Verdict {
	if g.honest() || v.Decision() != modelversion.OutcomePassed {
		return v
	}
	return modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithLive, append(v.Reasons,
		"But the given vectors may have been learned from just that, and the version before was not.")...)
}

// caution says what the figures of given vectors are worth.
func (g *Given) caution(v modelversion.Verdict) modelversion.Verdict {
	if !g.honest() {
		v.Reasons = append(v.Reasons,
			"The given vectors may have been learned from what is held out: then their figures are too high.  "+
				"--learned-until says up to when they were learned.")
	}
	return v
}
