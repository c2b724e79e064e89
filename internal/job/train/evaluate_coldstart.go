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

// coldCut is ratings without one product in ten.
type coldCut struct {
	cold  []int32         // the products that are held out
	place map[int32]int32 // of each of them
	rest  []evaluation.Rating
	likes *evaluation.Pairs // in rest
	task  *evaluation.Task
}

// coldCut is nil where there is too little to measure.
func (t *Trainer) coldCut(data *Data) *coldCut {
	c := &coldCut{place: make(map[int32]int32)}
	for p := range data.Products {
		if evaluation.Mix(uint64(p)+coldSeed)%coldShare == 0 {
			c.place[int32(p)] = int32(len(c.cold))
			c.cold = append(c.cold, int32(p))
		}
	}
	var held []evaluation.Rating
	for _, r := range data.Ratings {
		if at, ok := c.place[r.Product]; ok {
			r.Product = at
			held = append(held, r)
		} else {
			c.rest = append(c.rest, r)
		}
	}
	c.task = evaluation.NewTask(len(c.cold), nil, held, t.Config.MinStars).Sample(mostReported)
	c.likes = evaluation.NewPairs(len(data.Customers), len(data.Products), t.Config.Positives(c.rest))
	c.task.Cases = slices.DeleteFunc(c.task.Cases, func(k evaluation.Case) bool {
		return len(c.likes.Of[k.Customer]) == 0
	})
	if len(c.cold) < fewestCold || len(c.task.Cases) < fewestCold {
		return nil
	}
	return c
}

// coldStart holds one product in ten out entirely, fits the others, and ranks the held-out ones
// among themselves by the vectors that their features give them. nil where there is too little to
// measure.
func (t *Trainer) coldStart(ctx context.Context, data *Data, signal Signal,
	cfg ials.Config) (*modelversion.Part, error) {
	c := t.coldCut(data)
	if c == nil {
		return nil, nil
	}
	cold := c.cold
	f, err := t.fit(ctx, data, signal.cells(c.rest, nil), cfg, partNewProducts, c.place)
	if err != nil {
		return nil, err
	}
	vectors := make([]float32, 0, len(cold)*cfg.Dim)
	for _, p := range cold {
		vectors = append(vectors, f.model.Item(int(p))...)
	}
	part := &modelversion.Part{What: fmt.Sprintf(
		"%d products held out entirely, ranked among themselves; their popularity is that of their line", len(cold)),
		Customers: len(c.task.Cases)}
	all := []contestant{{modelversion.RowModel, evaluation.Factors(f.model.Users, vectors, cfg.Dim)}}
	if data.embedded() {
		_, _ = fillIn(cfg.Dim, len(data.Products), func(p int) bool {
			return f.itemsFeatured[p]
		}, productFeatures(data.Products), nil,
			f.model.Item)
		without := make([]float32, 0, len(vectors))
		for _, p := range cold {
			without = append(without, f.model.Item(int(p))...)
		}
		all = append(all, contestant{RowFeatures, evaluation.Factors(f.model.Users, without, cfg.Dim)})
	}
	return part, t.measure(ctx, part, c.task, append(all, []contestant{
		{modelversion.RowPopularity, linePopularity(data, c.likes, cold).Each},
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
