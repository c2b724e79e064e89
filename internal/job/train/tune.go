package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// The search. Its budget is operations of a nominal machine, not the clock: the same data give the
// same model on a busy machine and on an idle one.
const (
	// where alpha0 and lambda are searched first: the best values move little with the dimension, the
	// cost is quadratic in it
	tuneDim    = 32
	tuneEpochs = 8 // the order of candidates is settled by then
	// hopeless: quality has one peak along lambda; this far below it, the rest of the row is not tried.
	hopeless    = 0.9
	smallestDim = 16 // a smaller index saves nothing
	// coarseShare is the part of the budget that the coarse grid may take; where the data are too
	// large for that, it is tried on a sample of the customers, and only its best survivors on all.
	coarseShare = 0.25
	survivors   = 3
	// mostCases is how many customers a candidate is ranked for: more would tell the same.
	mostCases = 2000
)

// The coarse grid. The paper's best values over four data sets (alpha0 0.007 to 0.5, lambda 0.002
// to 0.02) and what smaller shops need lie inside or one climb away.
var (
	gridAlpha0 = [...]float64{0.03, 0.1, 0.3, 1}
	gridLambda = [...]float64{0.003, 0.01, 0.03, 0.1}
)

// Candidate is one configuration that was tried on the validation part.
type Candidate struct {
	Dim      int      `json:"dim"`
	Alpha0   float64  `json:"alpha0"`
	Lambda   float64  `json:"lambda"`
	Sample   uint64   `json:"sample"` // fitted on one customer in so many
	NDCG20   float64  `json:"ndcg@20"`
	Recall20 float64  `json:"recall@20"`
	Nu       *float64 `json:"nu,omitempty"` // where tuning tries several; absent: that of Used
}

// Quality is what the search maximises: the mean of the two figures that public tables compare.
func (c Candidate) Quality() float64 { return (c.NDCG20 + c.Recall20) / 2 }

// tuner tries configurations on a validation part that is cut from the training part; it never sees
// the test part.
type tuner struct {
	matrix   *ials.Matrix
	task     *evaluation.Task
	base     ials.Config // everything but the searched values
	first    *Used       // where to begin, besides the grid; nil: nowhere
	budget   float64     // operations
	largest  int         // dimension
	margin   float64     // the gain that a doubled dimension must bring, as a factor
	progress func(done, total int)
	tried    []Candidate
	// solve takes the place of fitting where the products' vectors are given: it takes half a sweep.
	solve func(context.Context, *ials.Matrix, ials.Config) (*ials.Model, error)
	nu    *float64 // what to note for each candidate; nil: nothing

	sample     uint64 // candidates are fitted on one customer in so many
	part       *ials.Matrix
	transposed *ials.Matrix
	cases      *evaluation.Task
	spent      float64
}

// search returns the best configuration: a coarse grid over alpha0 × lambda, a climb from its best
// point by ever smaller steps, then the dimension and a last climb there. With nothing to validate
// on, it is a middling one.
func (t *tuner) search(ctx context.Context, fixedDim int) (Candidate, error) {
	dim := min(tuneDim, max(t.largest, smallestDim))
	if fixedDim > 0 {
		dim = fixedDim
	}
	best := Candidate{Dim: dim, Alpha0: gridAlpha0[2], Lambda: gridLambda[1]}
	if t.first != nil {
		best.Alpha0, best.Lambda = t.first.Alpha0, t.first.Lambda
	}
	if len(t.task.Cases) == 0 {
		return best, nil
	}
	t.narrow(1)
	t.narrow(sampling(len(gridAlpha0)*len(gridLambda), t.cost(dim), coarseShare*t.budget))
	if err := t.coarse(ctx, &best, dim); err != nil {
		return best, err
	}
	if t.sample > 1 {
		if err := t.promote(ctx, &best); err != nil {
			return best, err
		}
	}
	for _, step := range []float64{2, 1.4} {
		if err := t.climb(ctx, &best, step); err != nil {
			return best, err
		}
	}
	if fixedDim == 0 {
		start := best.Dim
		if err := t.resize(ctx, &best); err != nil {
			return best, err
		}
		if best.Dim > start {
			if err := t.climb(ctx, &best, 1.4); err != nil {
				return best, err
			}
		}
	}
	return best, t.climb(ctx, &best, 1.2)
}

// coarse tries the first candidate and the grid.
func (t *tuner) coarse(ctx context.Context, best *Candidate, dim int) error {
	if t.first != nil {
		if err := t.better(ctx, best, Candidate{Dim: dim, Alpha0: t.first.Alpha0, Lambda: t.first.Lambda}, 1); err != nil {
			return err
		}
	}
	for _, alpha0 := range gridAlpha0 {
		top := 0.0
		for _, lambda := range gridLambda {
			before := len(t.tried)
			if err := t.better(ctx, best, Candidate{Dim: dim, Alpha0: alpha0, Lambda: lambda}, 1); err != nil {
				return err
			}
			if len(t.tried) == before {
				continue
			}
			last := t.tried[before].Quality()
			if last < hopeless*top {
				break
			}
			top = max(top, last)
		}
	}
	return nil
}

// promote tries the best of the sample on all customers.
func (t *tuner) promote(ctx context.Context, best *Candidate) error {
	order := slices.Clone(t.tried)
	slices.SortStableFunc(order, func(a, b Candidate) int {
		switch {
		case a.Quality() > b.Quality():
			return -1
		case a.Quality() < b.Quality():
			return 1
		}
		return 0
	})
	t.narrow(1)
	winner := *best
	best.NDCG20, best.Recall20 = 0, 0
	for _, c := range order[:min(survivors, len(order))] {
		if err := t.better(ctx, best, Candidate{Dim: c.Dim, Alpha0: c.Alpha0, Lambda: c.Lambda}, 1); err != nil {
			return err
		}
	}
	if best.Quality() == 0 { // the budget is spent: the sample's word stands
		*best = winner
	}
	return nil
}

// narrow makes one customer in n the training part of the candidates, and some of those the ones to rank for.
func (t *tuner) narrow(n uint64) {
	if t.sample == n {
		return
	}
	t.sample, t.part, t.cases = n, sampled(t.matrix, n), sampledTask(t.task, n)
	t.transposed = t.part.Transposed()
}

// cost is the operations that a candidate takes.
func (t *tuner) cost(dim int) float64 {
	sweeps := float64(tuneEpochs)
	if t.solve != nil {
		sweeps = 0.5
	}
	return sweeps*epochCost(t.part, t.transposed, dim) + rankCost(len(t.cases.Cases), t.matrix.Cols, dim)
}

// fit makes a candidate's model.
func (t *tuner) fit(ctx context.Context, m *ials.Matrix, cfg ials.Config) (*ials.Model, error) {
	if t.solve != nil {
		return t.solve(ctx, m, cfg)
	}
	return ials.Fit(ctx, m, cfg, nil)
}

// climb moves to the best of the neighbours, diagonals along the valley included (more weight on
// the unobserved asks for less regularisation), until none is better.
func (t *tuner) climb(ctx context.Context, best *Candidate, step float64) error {
	for {
		from := *best
		for _, move := range [][2]float64{{1, step}, {1, 1 / step}, {step, 1 / step}, {1 / step, step}, {step, 1},
			{1 / step, 1}} {
			c := Candidate{Dim: from.Dim, Alpha0: from.Alpha0 * move[0], Lambda: from.Lambda * move[1]}
			if err := t.better(ctx, best, c, 1); err != nil {
				return err
			}
		}
		if *best == from {
			return nil
		}
	}
}

// resize doubles the dimension while that is worth it, else halves it while that is no loss; a larger model
// wants more regularisation, a smaller one less.
func (t *tuner) resize(ctx context.Context, best *Candidate) error {
	start := best.Dim
	for _, way := range []struct{ grow, lambda, margin float64 }{{2, 1.4, t.margin}, {0.5, 1 / 1.4, 1}} {
		for way.grow > 1 && 2*best.Dim <= t.largest || way.grow < 1 && best.Dim > smallestDim {
			from := *best
			for _, lambda := range []float64{1, way.lambda} {
				c := Candidate{Dim: int(float64(from.Dim) * way.grow), Alpha0: from.Alpha0, Lambda: from.Lambda * lambda}
				margin := way.margin
				if best.Dim == c.Dim {
					margin = 1 // against its own kind
				}
				if err := t.better(ctx, best, c, margin); err != nil {
					return err
				}
			}
			if best.Dim == from.Dim {
				break
			}
		}
		if best.Dim != start {
			return nil
		}
	}
	return nil
}

// better tries c and makes it the best if it beats the best by the margin. A repeated candidate,
// one past the budget and one whose equations have no solution, which float32 gives at extreme
// values, change nothing.
func (t *tuner) better(ctx context.Context, best *Candidate, c Candidate, margin float64) error {
	c.Sample, c.Nu = t.sample, t.nu
	cost := t.cost(c.Dim)
	if t.spent+cost > t.budget && len(t.tried) > 0 || t.known(c) {
		return nil
	}
	t.spent += cost
	cfg := t.base
	cfg.Dim, cfg.Alpha0, cfg.Lambda, cfg.Epochs = c.Dim, c.Alpha0, c.Lambda, tuneEpochs
	model, err := t.fit(ctx, t.part, cfg)
	if errors.Is(err, ials.ErrSingular) {
		t.tried = append(t.tried, c)
		return nil
	}
	if err != nil {
		return fmt.Errorf("try alpha0 %.3g, lambda %.3g at dimension %d: %w", c.Alpha0, c.Lambda, c.Dim, err)
	}
	scores, err := evaluation.Measure(ctx, t.cases, cfg.Threads, ranker(model))
	if err != nil {
		return err
	}
	c.NDCG20, c.Recall20 = evaluation.Mean(scores.NDCG20), evaluation.Mean(scores.Recall20)
	t.tried = append(t.tried, c)
	t.progress(int(100*t.spent/t.budget), 100)
	if c.Quality() > best.Quality()*margin {
		*best = c
	}
	return nil
}

func (t *tuner) known(c Candidate) bool {
	for _, old := range t.tried {
		near := func(a, b float64) bool { return a < b*1.01 && b < a*1.01 } // the same point reached by another way
		if old.Dim == c.Dim && old.Sample == c.Sample && near(old.Alpha0, c.Alpha0) && near(old.Lambda, c.Lambda) {
			return true
		}
	}
	return false
}
