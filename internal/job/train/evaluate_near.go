package train

import (
	"context"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// RowNear is kindred with the weak likes and the neighbours that the validation part asks for, as train
// makes it.
const RowNear = "kindred-near"

// near is the contender. It begins with kindred's vectors as tuned. file is the training file.
func (e *Evaluation) near(result *EvaluationResult, file *evaluation.Pairs) contender {
	config := func(lukewarm *UsedWeight) ials.Config {
		used := result.Config.Used
		if lukewarm != nil {
			used.Lambda = lukewarm.Lambda
		}
		return ials.Config{Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda, Nu: used.Nu, Epochs: used.Epochs,
			Seed: e.Seed, Threads: e.Threads}
	}
	return contender{name: RowNear, tune: func(ctx context.Context, train *evaluation.Pairs,
		task *evaluation.Task) (option, error) {
		lukewarm, err := e.tuneLukewarm(ctx, file, train, task, config(nil))
		if err != nil {
			return nil, err
		}
		m := e.matrix(train, lukewarm)
		search := nearSearch{matrix: m, task: task, solver: config(lukewarm), budget: e.spent + fitsCost(m, result.Config.Dim,
			result.Config.Epochs),
			progress: func(done, total int) { e.Progress("tune "+RowNear, int64(done), int64(total)) }}
		near, err := search.search(ctx)
		if e.Lukewarm == nil {
			return option{"near": near}, err
		}
		return option{"lukewarm": lukewarm, "near": near}, err
	}, fit: func(ctx context.Context, train *evaluation.Pairs, o option) (evaluation.Block, error) {
		lukewarm, _ := o["lukewarm"].(*UsedWeight)
		m := e.matrix(train, lukewarm)
		model, err := ials.Fit(ctx, m, config(lukewarm), nil)
		if err != nil {
			return nil, err
		}
		near, _ := o["near"].(*UsedNear)
		return newNearLists(m, near, e.Threads).with(ranker(model)), nil
	}}
}

// lukewarmFolds is how many validation parts of the training file weak likes are chosen on, where none is
// given: a tenth of the interactions alone says too little.
const lukewarmFolds = 4

// tuneLukewarm chooses the confidence of Lukewarm; nil: none.
func (e *Evaluation) tuneLukewarm(ctx context.Context, file, train *evaluation.Pairs, task *evaluation.Task,
	solver ials.Config) (*UsedWeight, error) {
	if e.Lukewarm == nil {
		return nil, nil
	}
	part := func(likes *evaluation.Pairs, task *evaluation.Task) fold {
		return fold{task, func(weight float64) *ials.Matrix { return e.matrix(likes, &UsedWeight{Weight: weight}) }}
	}
	search := weightSearch{folds: []fold{part(train, task)}, weights: lukewarmWeights,
		lambdas: lukewarmLambdas, solver: solver, budget: lukewarmFolds * (e.spent +
			fitsCost(train.Matrix(), solver.Dim, solver.Epochs))}
	for seed := range lukewarmFolds - 1 {
		if e.Valid == nil {
			rest, held := file.Cut(cutSeed + 1 + uint64(seed))
			search.folds = append(search.folds, part(rest, e.task(rest, held)))
		}
	}
	return search.search(ctx)
}

// matrix weighs likes 1, and what is rated and not liked as was chosen.
func (e *Evaluation) matrix(likes *evaluation.Pairs, chosen *UsedWeight) *ials.Matrix {
	if e.Lukewarm == nil || chosen == nil || chosen.Weight == 0 {
		return likes.Matrix()
	}
	var cells []cell
	for c, own := range likes.With(e.Lukewarm).Of {
		for _, product := range own {
			weight := float32(chosen.Weight)
			if _, liked := slices.BinarySearch(likes.Of[c], product); liked {
				weight = 1
			}
			cells = append(cells, cell{int32(c), product, weight})
		}
	}
	return matrix(len(likes.Of), likes.Products, cells)
}
