package train

import (
	"context"
	"fmt"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

const (
	// coldShare: one product in ten is taken for new.
	coldShare = 10
	coldSeed  = 10 // of the draw
	// fewestCold products and customers; fewer tell nothing.
	fewestCold = 5
)

// coldStart holds one product in ten out entirely, fits the others, and ranks the held-out ones
// among themselves by the vectors that their features give them. nil where there is too little to
// measure.
func (t *Trainer) coldStart(ctx context.Context, data *Data, signal Signal, cfg ials.Config) (*modelversion.Part, error) {
	place := make(map[int32]int32) // product → its place among the cold ones
	var cold []int32
	for p := range data.Products {
		if evaluation.Mix(uint64(p)+coldSeed)%coldShare == 0 {
			place[int32(p)] = int32(len(cold))
			cold = append(cold, int32(p))
		}
	}
	var rest, held []evaluation.Rating
	for _, r := range data.Ratings {
		if at, ok := place[r.Product]; ok {
			r.Product = at
			held = append(held, r)
		} else {
			rest = append(rest, r)
		}
	}
	task := evaluation.NewTask(len(cold), nil, held, t.Config.MinStars).Sample(mostReported)
	likes := evaluation.NewPairs(len(data.Customers), len(data.Products), t.Config.Positives(rest))
	task.Cases = slices.DeleteFunc(task.Cases, func(c evaluation.Case) bool { return len(likes.Of[c.Customer]) == 0 })
	if len(cold) < fewestCold || len(task.Cases) < fewestCold {
		return nil, nil
	}
	f, err := t.fit(ctx, data, signal.cells(rest, nil), cfg, "fit without some products", place)
	if err != nil {
		return nil, err
	}
	vectors := make([]float32, 0, len(cold)*cfg.Dim)
	for _, p := range cold {
		vectors = append(vectors, f.model.Item(int(p))...)
	}
	part := &modelversion.Part{What: fmt.Sprintf("%d products held out entirely, ranked among themselves; their popularity is that of their line",
		len(cold)), Customers: len(task.Cases)}
	all := []contestant{{modelversion.RowModel, evaluation.Factors(f.model.Users, vectors, cfg.Dim)}}
	if data.embedded() {
		_, _ = fillIn(cfg.Dim, len(data.Products), func(p int) bool { return f.itemsFeatured[p] }, productFeatures(data.Products), nil,
			f.model.Item)
		without := make([]float32, 0, len(vectors))
		for _, p := range cold {
			without = append(without, f.model.Item(int(p))...)
		}
		all = append(all, contestant{RowFeatures, evaluation.Factors(f.model.Users, without, cfg.Dim)})
	}
	return part, t.measure(ctx, part, task, append(all, []contestant{
		{modelversion.RowPopularity, linePopularity(data, likes, cold).Each},
		{modelversion.RowRandom, evaluation.Random(t.Config.Seed).Each},
	}...))
}

// RowFeatures is the model without the embeddings of products.
const RowFeatures = "features-only"

// linePopularity ranks the cold products by how many customers like the average product of their line.
func linePopularity(data *Data, likes *evaluation.Pairs, cold []int32) evaluation.Ranker {
	sum, count := make(map[string]float64), make(map[string]float64)
	for p, who := range likes.Transposed().Of {
		if len(who) > 0 {
			for _, line := range data.Products[p].Categories {
				sum[line] += float64(len(who))
				count[line]++
			}
		}
	}
	return func(_ int32, scores []float32) {
		for i, p := range cold {
			lines := data.Products[p].Categories
			mean := 0.0
			for _, line := range lines {
				mean += sum[line] / max(count[line], 1)
			}
			scores[i] = float32(mean / max(float64(len(lines)), 1))
		}
	}
}
