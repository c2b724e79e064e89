package train

import (
	"context"
	"fmt"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// givenNu are the exponents of regularisation that are tried for given vectors: another system's
// vectors need not have the lengths that nu = 1 expects.
var givenNu = [...]float64{nu, 0.5, 0}

// tuneGiven searches what the equations of given vectors need, by folding the customers of the
// validation part in. Whoever has a vector of their own is folded in as well.
func (t *Trainer) tuneGiven(ctx context.Context, data *Data, test evaluation.Cut) (choice, error) {
	validation := t.split(data, test.Train)
	if len(t.task(data, validation, nil, nil, nil).Cases) < fewestCold { // too little is later than the given vectors
		validation = t.splitAll(data, test.Train)
	}
	g, err := t.given.of(ctx, partValidation)
	if err != nil {
		return choice{}, err
	}
	items, _, _ := g.itemsOf(nil)
	solve := func(ctx context.Context, m *ials.Matrix, cfg ials.Config) (*ials.Model, error) {
		return g.fold(ctx, m, items, cfg)
	}
	signal := t.Config.begin(data)
	known := data.feedbackBefore(validation.Held, test.Held)
	cells := func(s Signal) *ials.Matrix {
		return matrix(len(data.Customers), len(data.Products), s.cells(validation.Train, known))
	}
	var best Candidate
	var winner *tuner
	var tried []Candidate
	for i, exponent := range givenNu {
		search := &tuner{matrix: cells(signal),
			task:   t.task(data, validation, firstTimes(test.Held), t.Config.Repeats, t.Config.Repeats),
			base:   ials.Config{Nu: exponent, Epochs: t.Config.Epochs, Seed: t.Config.Seed, Threads: t.threads()},
			budget: t.Config.TuneBudget * nominalRate / float64(len(givenNu)), largest: t.given.dim, margin: worthwhile,
			progress: func(done, total int) { t.progress("tune", done+i*total, len(givenNu)*total) },
			solve:    solve, nu: &exponent}
		candidate, err := search.search(ctx, t.given.dim)
		if err != nil {
			return choice{}, fmt.Errorf("tune: %w", err)
		}
		if tried = append(tried, search.tried...); winner == nil || candidate.Quality() > best.Quality() {
			best, winner = candidate, search
		}
	}
	base := winner.base
	base.Dim, base.Alpha0, base.Lambda = best.Dim, best.Alpha0, best.Lambda
	if data.Counted && t.Given.Fits == nil { // fits were made with the weights that the search begins with
		if signal, err = winner.signal(ctx, t.Config.Signal, signal, best, cells, known); err != nil {
			return choice{}, fmt.Errorf("tune the weights of interactions: %w", err)
		}
	}
	t.given.scaleCustomers(g.likesScale(cells(signal), items, base))
	return t.finishTuning(ctx, data, choice{signal: signal, solver: base, tried: tried}, validation, test)
}
