package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/shop"
)

// What training makes of stars that are no like.
const (
	LukewarmAuto = "auto"
	LukewarmNone = "none"
)

// What tuning tries for stars that are no like: confidences of those just below a like, and factors of
// lambda. A customer's regularisation grows with what they rated, so that a smaller lambda may be better.
var (
	lukewarmWeights = []float64{0.2, 0.4, 0.8}
	lukewarmLambdas = []float64{1, 0.8}
)

// UsedLukewarm is what tuning made of stars that are no like.
type UsedLukewarm struct {
	Weight float64 `json:"weight"` // of the stars just below a like; each star less halves it
	Lambda float64 `json:"lambda"` // of the solver
	Gained
}

// sentence is what tuning chose, for people.
func (u *UsedLukewarm) sentence() string {
	if u == nil {
		return "The validation data ask for no weak likes.\n"
	}
	return fmt.Sprintf("Stars below a like are weak likes, with confidences from %.3g downwards and lambda %.3g: on the "+
		"validation data the mean of NDCG@20 and Recall@20 gains %s.\n", u.Weight, u.Lambda, u.text())
}

// fold is a validation part, and what is fitted for it: with a confidence of the stars just below a like.
type fold struct {
	task   *evaluation.Task
	matrix func(weight float64) *ials.Matrix
}

// lukewarmSearch chooses how sure a like is that fewer stars give.
type lukewarmSearch struct {
	folds  []fold
	solver ials.Config // as tuned without them
	budget float64     // operations; weak likes that take more are not tried
}

// search returns the confidence and lambda that improve the validation figure most, if the improvement is
// certain: the paired 95 % interval over customers lies above zero. Otherwise it is nil. Where all options
// would take too long with all customers, they are tried with a sample, and the best one is then compared
// with none once more, with all.
func (s lukewarmSearch) search(ctx context.Context) (*UsedLukewarm, error) {
	s.solver.Epochs = tuneEpochs
	none := UsedLukewarm{Lambda: s.solver.Lambda}
	tried := []UsedLukewarm{none}
	for _, weight := range lukewarmWeights {
		for _, factor := range lukewarmLambdas {
			tried = append(tried, UsedLukewarm{Weight: weight, Lambda: s.solver.Lambda * factor})
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
	return s.compare(ctx, []UsedLukewarm{none, {Weight: best.Weight, Lambda: best.Lambda}}, 1)
}

// cost is the operations of one option, with one customer in n.
func (s lukewarmSearch) cost(n uint64) (operations float64) {
	for _, f := range s.folds {
		m := sampled(f.matrix(lukewarmWeights[0]), n)
		operations += tuneEpochs*epochCost(m, m.Transposed(), s.solver.Dim) +
			rankCost(len(f.task.Sample(mostCases).Cases), m.Cols, s.solver.Dim)
	}
	return operations
}

// compare is the option that gains most on the first one, of those that gain for certain, with one
// customer in n. Each customer's figure is its mean over the folds.
func (s lukewarmSearch) compare(ctx context.Context, tried []UsedLukewarm, n uint64) (*UsedLukewarm, error) {
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
	var best *UsedLukewarm
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

// hasLukewarm reports stars that are no like.
func (s Signal) hasLukewarm(ratings []evaluation.Rating) bool {
	for _, r := range ratings {
		if r.Stars >= shop.MinStars && s.Preference(r.Stars) == 0 {
			return true
		}
	}
	return false
}
