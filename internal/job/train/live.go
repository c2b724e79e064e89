package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
)

// liveCut is what the version before knows, and what is newer. task is nil where nothing can be
// compared. owns are that version's customers by id.
func (t *Trainer) liveCut(data *Data, repeats *modelversion.Repeats) (cut evaluation.Cut, task *evaluation.Task,
	owns map[string]int) {
	live := t.Previous
	owns = make(map[string]int, len(live.Customers))
	for i, c := range live.Customers {
		owns[c.ID] = i
	}
	for _, r := range data.Ratings {
		i, ok := owns[data.Customers[r.Customer].ID]
		if !ok {
			continue // neither may know them
		}
		_, owned := slices.BinarySearch(live.Customers[i].Rated, data.Products[r.Product].ID)
		if owned || t.Given != nil && t.Given.Fits == nil && r.RatedAt <= t.Given.Until {
			cut.Train = append(cut.Train, r)
		} else {
			cut.Held = append(cut.Held, r)
		}
	}
	task = t.task(data, cut, nil, repeats, repeats).Sample(mostReported)
	if len(task.Cases) == 0 || len(t.Config.Positives(cut.Train)) == 0 {
		task = nil
	}
	return cut, task, owns
}

// compare judges the configuration against the version before on what is newer than that one: on
// the ratings that it does not know. To be fair, the candidate is fitted without them too: both
// know the same, and are asked for what came after.
func (t *Trainer) compare(ctx context.Context, data *Data, chosen choice) (*modelversion.Part,
	modelversion.Verdict, error) {
	live := t.Previous
	cut, task, owns := t.liveCut(data, chosen.repeats)
	if task == nil {
		return nil, evaluation.NotWorse(evaluation.Scores{}, evaluation.Scores{}, live.ID), nil
	}
	f, err := t.fit(ctx, data, chosen.signal.cells(cut.Train, data.feedbackBefore(cut.Held)), chosen.solver,
		partComparison, nil)
	if err != nil {
		return nil, modelversion.Verdict{}, err
	}
	f.addNear(chosen.near, t.threads())
	users := make([]float32, len(data.Customers)*live.Solver.Dim)
	for i, c := range data.Customers {
		if own, ok := owns[c.ID]; ok {
			copy(users[i*live.Solver.Dim:], live.Customers[own].Vector)
		}
	}
	part := &modelversion.Part{What: fmt.Sprintf("%d ratings that version %s does not know", len(cut.Held), live.ID),
		Customers: len(task.Cases)}
	model, err := evaluation.Measure(ctx, task, t.threads(), f.rank())
	if err != nil {
		return nil, modelversion.Verdict{}, err
	}
	beside, err := evaluation.Measure(ctx, task, t.threads(), liveBlock(live, data, users, owns))
	if err != nil {
		return nil, modelversion.Verdict{}, err
	}
	for _, n := range []evaluation.Named{{Name: modelversion.RowModel, Scores: model},
		{Name: modelversion.RowLive, Scores: beside}} {
		part.Rows = append(part.Rows, n.Row())
	}
	return part, t.Given.compared(evaluation.NotWorse(model, beside, live.ID)), nil
}

// liveBlock ranks by the live version's vectors and neighbours; products that it does not have come
// last. owns are its customers by id.
func liveBlock(live *modelversion.Version, data *Data, users []float32, owns map[string]int) evaluation.Block {
	d, products := live.Solver.Dim, len(data.Products)
	items, missing := make([]float32, products*d), []int(nil)
	has := make(map[string]int, len(live.Items))
	for i, item := range live.Items {
		has[item.Code] = i
	}
	for p, product := range data.Products {
		if i, ok := has[product.ID]; ok {
			copy(items[p*d:], live.Items[i].Vector)
		} else {
			missing = append(missing, p)
		}
	}
	factors := evaluation.Factors(users, items, d)
	if live.Near != nil {
		factors = sum(factors, evaluation.Listed(liveNear(live, data, has, owns)).Each)
	}
	return func(customers []int32, scores []float32) {
		factors(customers, scores)
		for i := range customers {
			for _, p := range missing {
				scores[i*products+p] = float32(math.Inf(-1))
			}
		}
	}
}

// liveNear is the live version's neighbours of each customer, as today's numbers of products. has are
// its items by code, and owns its customers by id.
func liveNear(live *modelversion.Version, data *Data, has, owns map[string]int) [][]modelversion.Neighbour {
	product := make(map[int32]int32, len(has))
	for p := range data.Products {
		if i, ok := has[data.Products[p].ID]; ok {
			product[int32(i)] = int32(p)
		}
	}
	lists := make([][]modelversion.Neighbour, len(data.Customers))
	for i := range data.Customers {
		own, ok := owns[data.Customers[i].ID]
		if !ok {
			continue
		}
		for _, n := range live.Near.Customers[own] {
			if p, there := product[n.Item]; there {
				lists[i] = append(lists[i], modelversion.Neighbour{Item: p, Weight: n.Weight})
			}
		}
	}
	return lists
}
