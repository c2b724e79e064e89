package train

import (
	"context"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
)

// RowFolded is the model with its customers folded in from what they did, instead of the vectors that
// they were given.
const RowFolded = "folded-in"

// contestant is a ranker with its row's name.
type contestant struct {
	name string
	rank evaluation.Block
}

// measure adds the rows to part.
func (t *Trainer) measure(ctx context.Context, part *modelversion.Part, task *evaluation.Task, all []contestant) error {
	for _, c := range all {
		scores, err := evaluation.Measure(ctx, task, t.threads(), c.rank)
		if err != nil {
			return err
		}
		part.Rows = append(part.Rows, evaluation.Named{Name: c.name, Scores: scores}.Row())
	}
	return nil
}

// report measures the model, the baselines and, where the truth is known, the ceiling on the same
// customers, and judges.
func (t *Trainer) report(ctx context.Context, data *Data, model *fitted, train []evaluation.Rating,
	task *evaluation.Task) (modelversion.Report, error) {
	customers, products, positives := len(data.Customers), len(data.Products), t.Config.Positives(train)
	likes := evaluation.NewPairs(customers, products, positives)
	rankers := []contestant{
		{modelversion.RowModel, model.rank()},
		{modelversion.RowPopularity, evaluation.Popularity(likes).Each},
		{modelversion.RowRandom, evaluation.Random(t.Config.Seed).Each},
		{evaluation.RowCustomerMean, evaluation.CustomerMean(customers, products, train).Each},
		{evaluation.RowCoOccurrence, evaluation.CoOccurrence(likes, t.threads()).Each},
		{modelversion.RowCeiling, nil},
	}
	baselines := len(rankers) - 1
	rankers[baselines].rank = evaluation.Ranker(func(customer int32, scores []float32) {
		for p := range scores {
			scores[p] = float32(t.Truth(data.Customers[customer].ID, data.Products[p].ID))
		}
	}).Each
	if t.Truth == nil {
		rankers = rankers[:baselines]
	}
	report := modelversion.Report{TestCustomers: len(task.Cases), TestPositives: task.Positives()}
	var measured []evaluation.Named
	for i, r := range rankers {
		scores, err := evaluation.Measure(ctx, task, t.threads(), r.rank)
		if err != nil {
			return report, err
		}
		measured = append(measured, evaluation.Named{Name: r.name, Scores: scores})
		report.Rows = append(report.Rows, measured[i].Row())
		t.progress("evaluate", i+1, len(rankers))
	}
	var err error
	if report.Parts, err = t.reportParts(ctx, model, task); err != nil {
		return report, err
	}
	report.Verdict = evaluation.Judge(measured[0].Scores, measured[1:baselines])
	if model.folded != nil {
		scores, err := evaluation.Measure(ctx, task, t.threads(), evaluation.Factors(model.folded, model.model.Items,
			model.model.Dim))
		if err != nil {
			return report, err
		}
		report.Rows = append(report.Rows, evaluation.Named{Name: RowFolded, Scores: scores}.Row())
	}
	return report, nil
}
