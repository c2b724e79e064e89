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
	Gained
	lambda float64 // of the solver
}

// sentence is what tuning chose, for people.
func (u *UsedLukewarm) sentence() string {
	return fmt.Sprintf("Stars below a like are weak likes, with confidences from %.3g downwards: on the validation data "+
		"the mean of NDCG@20 and Recall@20 gains %s.\n", u.Weight, u.text())
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
	budget float64     // operations; large data are searched on a sample of the customers
}

// search returns the confidence and lambda that improve the validation figure most, if the improvement is
// certain: the paired 95 % interval over customers lies above zero. Otherwise it is nil.
func (s lukewarmSearch) search(ctx context.Context) (*UsedLukewarm, error) {
	s.solver.Epochs = tuneEpochs
	tried := []UsedLukewarm{{lambda: s.solver.Lambda}}
	for _, weight := range lukewarmWeights {
		for _, factor := range lukewarmLambdas {
			tried = append(tried, UsedLukewarm{Weight: weight, lambda: s.solver.Lambda * factor})
		}
	}
	sums, counts := make([]map[int32]float64, len(tried)), map[int32]float64{}
	for i := range sums {
		sums[i] = map[int32]float64{}
	}
	for _, f := range s.folds {
		n := s.narrow(&f, len(tried))
		for i, option := range tried {
			cfg := s.solver
			cfg.Lambda = option.lambda
			model, err := ials.Fit(ctx, sampled(f.matrix(option.Weight), n), cfg, nil)
			if errors.Is(err, ials.ErrSingular) || errors.Is(err, ials.ErrNoInteractions) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			scores, err := evaluation.Measure(ctx, f.task, cfg.Threads, ranker(model))
			if err != nil {
				return nil, err
			}
			for at, figure := range figures(scores) {
				sums[i][f.task.Cases[at].Customer] += figure
			}
		}
		for _, c := range f.task.Cases {
			counts[c.Customer]++
		}
	}
	if len(counts) < fewestNear {
		return nil, nil
	}
	return surestLukewarm(tried, sums, counts), nil
}

// narrow keeps a share of a fold's customers, one in n, if so many options would take too long with all.
func (s lukewarmSearch) narrow(f *fold, options int) (n uint64) {
	m := f.matrix(lukewarmWeights[0])
	n = sampling(options*len(s.folds), tuneEpochs*epochCost(m, m.Transposed(), s.solver.Dim), s.budget)
	task := &evaluation.Task{Products: f.task.Products}
	for _, c := range f.task.Cases {
		if inSample(int(c.Customer), n) {
			task.Cases = append(task.Cases, c)
		}
	}
	f.task = task.Sample(mostCases)
	return n
}

// surestLukewarm is the option that gains most on the first, of those that gain for certain. sums are the
// customers' figures, and counts in how many folds they are.
func surestLukewarm(tried []UsedLukewarm, sums []map[int32]float64, counts map[int32]float64) *UsedLukewarm {
	by := func(i int) (figures []float64) {
		for _, c := range slices.Sorted(maps.Keys(counts)) {
			figures = append(figures, sums[i][c]/counts[c])
		}
		return figures
	}
	var best *UsedLukewarm
	before := by(0)
	for i := range tried[1:] {
		option, after := &tried[1+i], by(1+i)
		option.Gain = evaluation.Mean(after) - evaluation.Mean(before)
		option.Low, option.High = evaluation.Difference(after, before)
		if option.Low > 0 && (best == nil || option.Gain > best.Gain) {
			best = option
		}
	}
	return best
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
