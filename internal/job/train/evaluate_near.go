package train

import (
	"context"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// RowNear is kindred with the neighbours that the validation part asks for, as train makes it.
const RowNear = "kindred-near"

// near is the contender. It begins with kindred's vectors as tuned.
func (e *Evaluation) near(result *EvaluationResult) contender {
	config := func() ials.Config {
		used := result.Config.Used
		return ials.Config{Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda, Nu: used.Nu, Epochs: used.Epochs,
			Seed:    e.Seed,
			Threads: e.Threads}
	}
	return contender{name: RowNear, tune: func(ctx context.Context, train *evaluation.Pairs,
		task *evaluation.Task) (option, error) {
		m := train.Matrix()
		search := nearSearch{matrix: m, task: task, solver: config(), budget: e.spent + fitsCost(m, result.Config.Dim,
			result.Config.Epochs),
			progress: func(done, total int) { e.Progress("tune "+RowNear, int64(done), int64(total)) }}
		near, err := search.search(ctx)
		return option{"near": near}, err
	}, fit: func(ctx context.Context, train *evaluation.Pairs, o option) (evaluation.Block, error) {
		m := train.Matrix()
		model, err := ials.Fit(ctx, m, config(), nil)
		if err != nil {
			return nil, err
		}
		near, _ := o["near"].(*UsedNear)
		return newNearLists(m, near, e.Threads).with(ranker(model)), nil
	}}
}
