package trainer

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/evaluation"
	"kindred/internal/ials"
)

// The search. It is counted in candidates, not in seconds: the same data give the same model on a busy machine and on an
// idle one, so that a version's id can be known before it is trained.
const (
	tuneDim    = 32 // where alpha0 and lambda are searched: the best values hardly move with the dimension, the cost is quadratic in it
	tuneEpochs = 8  // the order of candidates is settled by then
	// hopeless: quality has one peak along lambda; this far below it, the rest of the row is not tried.
	hopeless    = 0.9
	smallestDim = 16 // a smaller index saves nothing
	largestDim  = 256
	// worthwhile is the gain that a doubled dimension must bring: it costs four times the training and twice the index.
	worthwhile = 1.01
)

// The coarse grid. The paper's best values over four data sets (alpha0 0.007 to 0.5, lambda 0.002 to 0.02) and what
// smaller shops need lie inside or one climb away.
var (
	gridAlpha0 = [...]float64{0.1, 0.3, 1}
	gridLambda = [...]float64{0.003, 0.01, 0.03, 0.1}
)

// Candidate is one configuration that was tried on the validation part.
type Candidate struct {
	Dim    int     `json:"dim"`
	Alpha0 float64 `json:"alpha0"`
	Lambda float64 `json:"lambda"`
	NDCG10 float64 `json:"ndcg@10"`
}

// tuner tries configurations on a validation part that is cut from the training part as the test part is cut from the
// whole; it never sees the test part.
type tuner struct {
	matrix   *ials.Matrix
	task     *evaluation.Task
	base     ials.Config // everything but the searched values
	limit    int         // candidates
	progress func(done, total int)
	tried    []Candidate
}

// search returns the best configuration: a coarse grid over alpha0 × lambda, a climb from its best point by ever smaller
// steps, then the dimension. With nothing to validate on, it is a middling one.
func (t *tuner) search(ctx context.Context, fixedDim int) (Candidate, error) {
	dim := tuneDim
	if fixedDim > 0 {
		dim = fixedDim
	}
	best := Candidate{Dim: dim, Alpha0: gridAlpha0[1], Lambda: gridLambda[1]}
	if len(t.task.Cases) == 0 {
		return best, nil
	}
	for _, alpha0 := range gridAlpha0 {
		top := 0.0
		for _, lambda := range gridLambda {
			if err := t.better(ctx, &best, Candidate{Dim: dim, Alpha0: alpha0, Lambda: lambda}, 1); err != nil {
				return best, err
			}
			if len(t.tried) > 0 {
				last := t.tried[len(t.tried)-1].NDCG10
				if last < hopeless*top {
					break
				}
				top = max(top, last)
			}
		}
	}
	for _, step := range []float64{2, 1.4} {
		if err := t.climb(ctx, &best, step); err != nil {
			return best, err
		}
	}
	if fixedDim > 0 {
		return best, nil
	}
	return best, t.resize(ctx, &best)
}

// climb moves to the best of the neighbours, diagonals along the valley included (more weight on the unobserved
// asks for less regularisation), until none is better.
func (t *tuner) climb(ctx context.Context, best *Candidate, step float64) error {
	for {
		from := *best
		for _, move := range [][2]float64{{1, step}, {1, 1 / step}, {step, 1 / step}, {1 / step, step}, {step, 1}, {1 / step, 1}} {
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
	for _, way := range []struct{ grow, lambda, margin float64 }{{2, 1.4, worthwhile}, {0.5, 1 / 1.4, 1}} {
		for way.grow > 1 && best.Dim < largestDim || way.grow < 1 && best.Dim > smallestDim {
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

// better tries c and makes it the best if it beats the best by the margin. A repeated candidate, one past the limit and one whose
// equations have no solution, which float32 gives at extreme values, change nothing.
func (t *tuner) better(ctx context.Context, best *Candidate, c Candidate, margin float64) error {
	if len(t.tried) >= t.limit || t.known(c) {
		return nil
	}
	cfg := t.base
	cfg.Dim, cfg.Alpha0, cfg.Lambda, cfg.Epochs = c.Dim, c.Alpha0, c.Lambda, tuneEpochs
	model, err := ials.Fit(ctx, t.matrix, cfg, nil)
	if errors.Is(err, ials.ErrSingular) {
		t.tried = append(t.tried, c)
		return nil
	}
	if err != nil {
		return fmt.Errorf("try alpha0 %.3g, lambda %.3g at dimension %d: %w", c.Alpha0, c.Lambda, c.Dim, err)
	}
	scores, err := evaluation.Measure(ctx, t.task, cutoff, cfg.Threads, ranker(model))
	if err != nil {
		return err
	}
	c.NDCG10 = evaluation.Mean(scores.NDCG)
	t.tried = append(t.tried, c)
	t.progress(len(t.tried), t.limit)
	if c.NDCG10 > best.NDCG10*margin {
		*best = c
	}
	return nil
}

func (t *tuner) known(c Candidate) bool {
	for _, old := range t.tried {
		near := func(a, b float64) bool { return a < b*1.01 && b < a*1.01 } // the same point reached by another way
		if old.Dim == c.Dim && near(old.Alpha0, c.Alpha0) && near(old.Lambda, c.Lambda) {
			return true
		}
	}
	return false
}
