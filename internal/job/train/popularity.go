package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/checksum"
)

const (
	// featureDims are the components that say which features a product has.
	featureDims = 15
	// popularityScale is how long the component of popularity is at most, beside features of length 1:
	// short, so that similar products are those of the same features.
	popularityScale = 0.01
)

// standInID names the version that answers by popularity instead of a model; "" stands for none.
func standInID(input, model string) string {
	return versionID(checksum.Bytes([]byte(input+"popularity")), model)
}

// standIn makes the version that answers by popularity current, so that customers get an answer
// although no model has passed the gate. refused is the model that was refused; nil: there were no
// likes to learn from.
func (j Job) standIn(ctx context.Context, from *sources, models *commit.Repository, identity modelversion.Version,
	refused *modelversion.Version, result *Result) (*modelversion.Version, error) {
	model := ""
	if refused != nil {
		model = refused.ID
		result.Refused = &Refused{ModelVersion: refused.ID, Report: refused.Report}
		if err := json.Unmarshal(refused.Training, &result.Refused.Config); err != nil {
			return nil, fmt.Errorf("read the notes of version %s: %w", refused.ID, err)
		}
	} else {
		result.NoOp = true // unless the version has to be made
	}
	identity.ID = standInID(identity.Input, model)
	_, _, err := models.Restore(ctx, identity.ID)
	if err == nil {
		v, _, _, err := modelfile.ReadSummary(ctx, models, identity.ID, j.ScratchDir)
		return v, err
	}
	if !errors.Is(err, objectstore.ErrNotFound) && !errors.Is(err, commit.ErrCorrupt) {
		return nil, err
	}
	result.NoOp = false
	data, err := j.read(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("read training set: %w", err)
	}
	repeats := j.Config.Repeats
	if refused != nil { // tuning may have chosen its rules
		repeats = result.Refused.Config.Repeats
	}
	v, err := popularity(data.Data, j.Config, repeats, j.Threads, refused)
	if err != nil {
		return nil, err
	}
	// Neither its input nor what it learned from is a model's: no model is taken for it.
	v.ID, v.Input = identity.ID, checksum.Bytes([]byte(identity.Input+"popularity"))
	v.Previous, v.TrainingRun, v.Shop = identity.Previous, identity.TrainingRun, identity.Shop
	data.addTogether(v)
	if _, err := modelfile.Write(ctx, models, v, j.ScratchDir); err != nil {
		return nil, err
	}
	return v, nil
}

// popularity makes a version that answers by popularity, without ID and origin.
func popularity(data *Data, cfg Config, repeats *modelversion.Repeats, threads int,
	refused *modelversion.Version) (*modelversion.Version, error) {
	data = data.ordered()
	dim := 1 + featureDims
	items, products := popularityVectors(data, data.popularity(cfg.Signal))
	model := &ials.Model{Dim: dim, Items: items,
		Users: make([]float32, len(data.Customers)*dim)}
	for i := range data.Customers {
		model.User(i)[0] = 1
	}
	everybody := func(n int) []bool { return slices.Repeat([]bool{true}, n) }
	bias := make([]float32, dim)
	bias[0] = 1
	f := &fitted{model: model, customersFeatured: everybody(len(data.Customers)),
		itemsFeatured: everybody(len(data.Products)),
		encoder:       modelversion.Encoder{Bias: bias, Weights: map[string][]float32{}}, products: products}
	v := assemble(data, f, choice{signal: cfg.Signal, repeats: repeats, weights: weights{view: 1, cart: cartTimes},
		solver: ials.Config{Dim: dim, Alpha0: 1, Lambda: 1, Nu: nu, Threads: threads}})
	v.Solver.Kind, v.TrainedAt = modelversion.KindPopularity, time.Now().UTC()
	v.Report = popularityReport(refused)
	var err error
	if v.Training, err = json.Marshal(Notes{Config: cfg.named(false, false), Repeats: repeats,
		Interactions: len(data.Ratings), Feedback: len(data.Feedback), Kernel: ials.Kernel()}); err != nil {
		return nil, fmt.Errorf("encode the notes: %w", err)
	}
	return v, nil
}

// popularity counts the customers who like each product or, where nobody likes anything, those who
// did anything with it.
func (d *Data) popularity(signal Signal) []int32 {
	counts := make([]int32, len(d.Products))
	for _, r := range d.Ratings {
		if signal.Preference(r.Stars) > 0 {
			counts[r.Product]++
		}
	}
	if slices.Max(append(counts, 0)) > 0 {
		return counts
	}
	type pair struct{ customer, product int32 }
	seen := map[pair]bool{}
	note := func(p pair) {
		if !seen[p] {
			seen[p] = true
			counts[p.product]++
		}
	}
	for _, r := range d.Ratings {
		note(pair{r.Customer, r.Product})
	}
	for _, f := range d.Feedback {
		note(pair{f.Customer, f.Product})
	}
	return counts
}

// popularityVectors are the products' vectors: how popular each is, and a random projection of its
// features. The inner product with (1, 0, …) is the popularity order. The encoder gives a new product the
// same direction, and no popularity.
func popularityVectors(data *Data, counts []int32) ([]float32, *modelversion.ProductEncoder) {
	const dim = 1 + featureDims
	encoder := &modelversion.ProductEncoder{Bias: make([]float32, dim), Weights: map[string][]float32{},
		Edges: numberEdges(len(data.Products), productNumbers(data.Products))}
	vectors := make([]float32, len(data.Products)*dim)
	most := max(slices.Max(append(slices.Clone(counts), 0)), 1)
	directions := map[string][]float64{} // drawn in canonical order: spelling does not matter
	for i, features := range productFeatures(data.Products) {
		var sum [featureDims]float64
		length := 0.0
		for _, f := range features {
			direction := directions[f]
			if direction == nil {
				draw := rand.New(rand.NewPCG(uint64(len(directions)), featureDims))
				direction = make([]float64, featureDims)
				for j := range direction {
					direction[j] = draw.NormFloat64()
				}
				directions[f] = direction
				encoder.Weights[f] = append([]float32{0}, narrow(direction)...)
			}
			for j, x := range direction {
				sum[j] += x
			}
		}
		for _, x := range sum {
			length += x * x
		}
		v := vectors[i*dim : (i+1)*dim]
		v[0] = popularityScale * float32(counts[i]) / float32(most)
		for j, x := range sum {
			if length > 0 {
				v[1+j] = float32(x / math.Sqrt(length))
			}
		}
	}
	return vectors, encoder
}

// popularityReport is what evaluation measured of popularity beside the refused model, and why it
// answers.
func popularityReport(refused *modelversion.Version) modelversion.Report {
	if refused == nil {
		return modelversion.Report{Split: "nothing, because nobody likes anything yet",
			Verdict: modelversion.PopularityVerdict("", "Nobody likes anything yet: there is nothing to train a model on.")}
	}
	report := refused.Report
	report.Live, report.ColdStart, report.Sessions, report.Parts = nil, nil, nil, nil
	report.Rows = slices.DeleteFunc(slices.Clone(report.Rows),
		func(r modelversion.Row) bool { return r.Name == modelversion.RowModel })
	report.Verdict = modelversion.PopularityVerdict(refused.ID, slices.Concat(
		[]string{"The gate refused version " + refused.ID + ":"}, refused.Report.Verdict.Reasons)...)
	return report
}
