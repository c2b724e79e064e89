package train

import (
	"context"
	"fmt"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// RowBlend is kindred with further parts whose scores are added (docs/decisions/0032).
const RowBlend = "kindred-blend"

// What a blend chooses from. Weights are in units of the dense part's spread.
var (
	blendRanks    = []int{64, 256}
	blendRarities = []float64{0.5, 0.7}
	blendWeights  = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 0.8}
)

// blendNeighbours is how many neighbours of a product a blend keeps.
const blendNeighbours = 200

// blendPart is a part that a blend may add.
type blendPart struct {
	name string
	make func(ctx context.Context, train *evaluation.Pairs) (evaluation.Block, error)
}

func (e *Evaluation) blendParts() (all []blendPart) {
	for _, rank := range blendRanks {
		all = append(all, blendPart{fmt.Sprintf("low-pass-%d", rank),
			func(ctx context.Context, train *evaluation.Pairs) (evaluation.Block, error) {
				return evaluation.LowPass(ctx, train, rank, e.Threads)
			}})
	}
	for _, rarity := range blendRarities {
		all = append(all, blendPart{fmt.Sprintf("near-%g", rarity),
			func(_ context.Context, train *evaluation.Pairs) (evaluation.Block, error) {
				return evaluation.Near(train, blendNeighbours, rarity, e.Threads), nil
			}})
	}
	return all
}

// chosenPart is a part of a blend, as reports show it.
type chosenPart struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"` // in units of spread, the dense part's being 1
	Scale  float64 `json:"scale"`  // what its scores are multiplied by
	Gain   float64 `json:"gain"`   // of the validation figure
}

// blend is the contender. It begins with kindred's dense part as tuned, and adds the part and weight
// that improve the validation figure most, as long as the improvement is certain: the paired 95 %
// interval over validation customers lies above zero. A part's kinds (low-pass, near) are added once.
func (e *Evaluation) blend(result *EvaluationResult) contender {
	return contender{name: RowBlend, tune: func(ctx context.Context, train *evaluation.Pairs,
		task *evaluation.Task) (option, error) {
		task = task.Sample(mostCases)
		dense, err := e.dense(ctx, train, result.Config.Used, tuneEpochs)
		if err != nil || len(task.Cases) == 0 {
			return option{"parts": []chosenPart(nil)}, err
		}
		parts := []evaluation.Part{{Name: RowKindred, Rank: dense, Weight: 1}}
		figures, err := e.figures(ctx, task, parts)
		if err != nil {
			return nil, err
		}
		unit, chosen := evaluation.Spread(task, e.Threads, dense), []chosenPart(nil)
		type candidate struct {
			kind string
			part evaluation.Part
			unit float64
		}
		var left []candidate
		for _, p := range e.blendParts() {
			rank, err := p.make(ctx, train)
			if err != nil {
				return nil, err
			}
			if spread := evaluation.Spread(task, e.Threads, rank); spread > 0 {
				left = append(left, candidate{p.name[:4], evaluation.Part{Name: p.name, Rank: rank}, unit / spread})
			}
		}
		for len(left) > 0 {
			var winner candidate
			var best chosenPart
			var better []float64
			for _, c := range left {
				for _, weight := range blendWeights {
					c.part.Weight = weight * c.unit
					trial, err := e.figures(ctx, task, append(slices.Clone(parts), c.part))
					if err != nil {
						return nil, err
					}
					low, _ := evaluation.Difference(trial, figures)
					if gain := evaluation.Mean(trial) - evaluation.Mean(figures); low > 0 && gain > best.Gain {
						winner, better, best = c, trial, chosenPart{c.part.Name, weight, c.part.Weight, gain}
					}
				}
				e.Progress("tune "+RowBlend, int64(len(chosen)), int64(len(chosen)+1))
			}
			if better == nil {
				break
			}
			parts, figures, chosen = append(parts, winner.part), better, append(chosen, best)
			left = slices.DeleteFunc(left, func(c candidate) bool { return c.kind == winner.kind })
		}
		return option{"parts": chosen}, nil
	}, fit: func(ctx context.Context, train *evaluation.Pairs, o option) (evaluation.Block, error) {
		dense, err := e.dense(ctx, train, result.Config.Used, result.Config.Epochs)
		if err != nil {
			return nil, err
		}
		parts := []evaluation.Part{{Name: RowKindred, Rank: dense, Weight: 1}}
		for _, c := range o["parts"].([]chosenPart) {
			for _, p := range e.blendParts() {
				if p.name != c.Name {
					continue
				}
				rank, err := p.make(ctx, train)
				if err != nil {
					return nil, err
				}
				parts = append(parts, evaluation.Part{Name: p.name, Rank: rank, Weight: c.Scale})
			}
		}
		return evaluation.Sum(parts), nil
	}}
}

// dense is kindred's own part.
func (e *Evaluation) dense(ctx context.Context, train *evaluation.Pairs, used Used,
	epochs int) (evaluation.Block, error) {
	model, err := ials.Fit(ctx, train.Matrix(), ials.Config{Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda,
		Nu: used.Nu, Epochs: epochs, Seed: e.Seed, Threads: e.Threads}, nil)
	if err != nil {
		return nil, err
	}
	return ranker(model), nil
}

// figures is what tuning maximises, by customer.
func (e *Evaluation) figures(ctx context.Context, task *evaluation.Task, parts []evaluation.Part) ([]float64, error) {
	scores, err := evaluation.Measure(ctx, task, e.Threads, evaluation.Sum(parts))
	return figures(scores), err
}
