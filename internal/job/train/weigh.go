package train

import (
	"context"
	"errors"
	"maps"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// UsedWeight is what tuning made of something that is less than a like.
type UsedWeight struct {
	Weight float64 `json:"weight"` // its confidence; of stars, of those just below a like: each star less halves it
	Lambda float64 `json:"lambda"` // of the solver
	Gained
}

// fold is a validation part, and what is fitted for it: with a confidence of what is less than a like.
type fold struct {
	task   *evaluation.Task
	matrix func(weight float64) *ials.Matrix
}

// weightSearch chooses how sure a like is that something less gives.
type weightSearch struct {
	folds   []fold
	weights []float64   // the confidences that are tried
	lambdas []float64   // each with these factors of lambda
	solver  ials.Config // as tuned without them
	budget  float64     // operations; if all takes more, nothing is tried
}

// search returns the confidence and lambda that improve the validation figure most, if the improvement is
// certain: the paired 95 % interval over customers lies above zero. Otherwise it is nil. Where all options
// would take too long with all customers, they are tried with a sample, and the best one is then compared
// with none once more, with all.
func (s weightSearch) search(ctx context.Context) (*UsedWeight, error) {
	s.solver.Epochs = tuneEpochs
	none := UsedWeight{Lambda: s.solver.Lambda}
	tried := []UsedWeight{none}
	for _, weight := range s.weights {
		for _, factor := range s.lambdas {
			tried = append(tried, UsedWeight{Weight: weight, Lambda: s.solver.Lambda * factor})
		}
	}
	whole := s.cost(1)
	n, cost := sampling(len(tried), whole, s.budget/2), float64(len(tried))*whole
	if n > 1 {
		cost = float64(len(tried))*s.cost(n) + 2*whole
	}
	if cost > s.budget {
		return nil, nil
	}
	best, err := s.compare(ctx, tried, n)
	if best == nil || err != nil || n == 1 {
		return best, err
	}
	return s.compare(ctx, []UsedWeight{none, {Weight: best.Weight, Lambda: best.Lambda}}, 1)
}

// cost is the operations of one option, with one customer in n.
func (s weightSearch) cost(n uint64) (operations float64) {
	for _, f := range s.folds {
		m := sampled(f.matrix(s.weights[0]), n)
		operations += tuneEpochs*epochCost(m, m.Transposed(), s.solver.Dim) +
			rankCost(len(f.task.Sample(mostCases).Cases), m.Cols, s.solver.Dim)
	}
	return operations
}

// compare is the option that gains most on the first one, of those that gain for certain, with one
// customer in n. Each customer's figure is its mean over the folds.
func (s weightSearch) compare(ctx context.Context, tried []UsedWeight, n uint64) (*UsedWeight, error) {
	sums, folds := make([]map[int32]float64, len(tried)), map[int32]float64{}
	for i := range sums {
		sums[i] = map[int32]float64{}
	}
	tasks := make([]*evaluation.Task, len(s.folds))
	for i, f := range s.folds {
		tasks[i] = sampledTask(f.task, n)
		for _, c := range tasks[i].Cases {
			folds[c.Customer]++
		}
	}
	if len(folds) < fewestNear {
		return nil, nil
	}
	singular := make([]bool, len(tried))
	for at, f := range s.folds {
		var m *ials.Matrix
		for i, option := range tried {
			if m == nil || option.Weight != tried[i-1].Weight {
				m = sampled(f.matrix(option.Weight), n)
			}
			cfg := s.solver
			cfg.Lambda = option.Lambda
			model, err := ials.Fit(ctx, m, cfg, nil)
			if errors.Is(err, ials.ErrSingular) || errors.Is(err, ials.ErrNoInteractions) {
				singular[i] = true
				continue
			}
			if err != nil {
				return nil, err
			}
			scores, err := evaluation.Measure(ctx, tasks[at], cfg.Threads, ranker(model))
			if err != nil {
				return nil, err
			}
			for c, figure := range figures(scores) {
				sums[i][tasks[at].Cases[c].Customer] += figure
			}
		}
	}
	if singular[0] {
		return nil, nil
	}
	var best *UsedWeight
	before := means(sums[0], folds)
	for i := 1; i < len(tried); i++ {
		option, after := &tried[i], means(sums[i], folds)
		option.Gain = evaluation.Mean(after) - evaluation.Mean(before)
		option.Low, option.High = evaluation.Difference(after, before)
		if !singular[i] && option.Low > 0 && (best == nil || option.Gain > best.Gain) {
			best = option
		}
	}
	return best, nil
}

// means are the customers' sums over their folds, in the order of the customers.
func means(sums, folds map[int32]float64) (all []float64) {
	for _, c := range slices.Sorted(maps.Keys(folds)) {
		all = append(all, sums[c]/folds[c])
	}
	return all
}
