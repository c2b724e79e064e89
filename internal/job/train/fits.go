package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"

	"kindred/internal/model/evaluation"
)

// part is what a model is fitted to. A version needs a fit to each: those that measure must not know
// what they are measured on.
type part string

const (
	partValidation  part = "validation"   // for tuning: without the validation part and the test part
	partReport      part = "report"       // without the test part
	partNewProducts part = "new-products" // without one product in ten
	partComparison  part = "comparison"   // without what is newer than the version before
	partEverything  part = "everything"   // the version itself
)

// Fits are the vectors that another program fits to each part of an export.
type Fits struct {
	Export string // the version that it was exported for; empty before that
	Method string // how they are fitted: part of the version's identity
	Dim    int    // components that the vectors will have; 0: nobody knows. Once they are there, they tell
	Rows   string // rowsHash of the data whose rows the export numbers
	// Read reads the products' vectors of a part. Their ids are the export's numbers, as text.
	Read func(ctx context.Context, part string) (*Named, error)
}

// fits are those that take the place of fitting; nil: none do.
func (j Job) fits() *Fits {
	if j.Given == nil {
		return nil
	}
	return j.Given.Fits
}

// rowsHash is of the ids of customers and products, in their order.
func rowsHash(d *Data) string {
	sum := sha256.New()
	put := func(id string) { // to a hash never fails
		_, _ = sum.Write(binary.AppendUvarint(nil, uint64(len(id))))
		_, _ = sum.Write([]byte(id))
	}
	for i := range d.Customers {
		put(d.Customers[i].ID)
	}
	put("products")
	for i := range d.Products {
		put(d.Products[i].ID)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// joinFits takes the vectors of everything.
func (g *Given) joinFits(ctx context.Context, data *Data, j *given) (*given, error) {
	if rows := rowsHash(data); rows != g.Fits.Rows {
		return nil, fmt.Errorf("the export %s numbers the customers and products in another order; run train export again: "+
			"%w",
			g.Fits.Export, ErrGiven)
	}
	j.fits, j.hasOwn = g.Fits, make([]bool, len(data.Customers))
	return j.read(ctx, partEverything, &j.notes.Items)
}

// of are the vectors of a part: of fits its own, else always the same.
func (g *given) of(ctx context.Context, to part) (*given, error) {
	if g.fits == nil || to == partEverything {
		return g, nil
	}
	return g.read(ctx, to, &Joined{})
}

// read reads a part's vectors. They are scaled as those of everything are.
func (g *given) read(ctx context.Context, of part, counts *Joined) (*given, error) {
	fitted, err := g.fits.Read(ctx, string(of))
	if err != nil {
		return nil, err
	}
	if g.dim > 0 && g.dim != fitted.Dim {
		return nil, fmt.Errorf("the vectors of the part %s have %d components, and those of everything %d: %w",
			of, fitted.Dim, g.dim, ErrGiven)
	}
	p := *g
	p.dim = fitted.Dim
	p.items, p.hasItem, *counts, g.notes.ItemScale, err = fitted.join("products", len(g.features), 0, g.notes.ItemScale,
		func(i int) (string, bool) { return strconv.Itoa(i), true })
	return &p, err
}

// exported is the parts of a training, and what each is learned from.
func (t *Trainer) exported(data *Data) (parts iter.Seq2[part, []cell], questions *evaluation.Task) {
	signal, test := t.Config.begin(data), t.split(data, data.Ratings)
	validation := t.split(data, test.Train)
	questions = t.task(data, validation, firstTimes(test.Held), t.Config.Repeats, t.Config.Repeats).Sample(mostCases)
	return func(yield func(part, []cell) bool) {
		if !yield(partValidation, signal.cells(validation.Train, data.feedbackBefore(validation.Held, test.Held))) ||
			!yield(partReport, signal.cells(test.Train, data.feedbackBefore(test.Held))) {
			return
		}
		if cold := t.coldCut(data); cold != nil && !yield(partNewProducts, signal.cells(cold.rest, nil)) {
			return
		}
		if t.Previous != nil {
			if cut, task, _ := t.liveCut(data, t.Config.Repeats); task != nil &&
				!yield(partComparison, signal.cells(cut.Train, data.feedbackBefore(cut.Held))) {
				return
			}
		}
		yield(partEverything, signal.cells(data.Ratings, data.Feedback))
	}, questions
}
