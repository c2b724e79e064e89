package train

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// until is the data up to the moment before which this share of the ratings was made.
func until(data *Data, share float64) *Data {
	times := make([]int64, 0, len(data.Ratings))
	for _, r := range data.Ratings {
		times = append(times, r.RatedAt)
	}
	slices.Sort(times)
	last, known := times[int(share*float64(len(times)-1))], *data
	known.Ratings = slices.DeleteFunc(slices.Clone(data.Ratings), func(r evaluation.Rating) bool {
		return r.RatedAt > last
	})
	return &known
}

// TestAWarmStartNeedsFewerSweeps: from yesterday's vectors, warmEpochs sweeps reach a smaller loss than all
// sweeps from random ones, and rank what comes later no worse.
func TestAWarmStartNeedsFewerSweeps(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.6)
	data = data.ordered()
	signal, cfg := quick().Signal, ials.Config{Dim: 32, Alpha0: 0.3, Lambda: 0.03, Nu: nu, Epochs: 16, Seed: 1, Threads: 2}
	today := until(data, 0.9)
	learn := func(d *Data, cfg ials.Config) (*ials.Model, float64) {
		m := matrix(len(d.Customers), len(d.Products), signal.cells(d.Ratings, nil))
		model, err := ials.Fit(t.Context(), m, cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		return model, model.Loss(m, cfg)
	}
	yesterday, _ := learn(until(data, 0.89), cfg)
	cold, coldLoss := learn(today, cfg)
	short := cfg
	short.Epochs = warmEpochs
	_, shortLoss := learn(today, short)
	short.Start = yesterday.Items
	warm, warmLoss := learn(today, short)
	if warmLoss > coldLoss || shortLoss < coldLoss {
		t.Errorf("loss from yesterday's vectors %.2f, from random ones %.2f, with as few sweeps %.2f", warmLoss,
			coldLoss, shortLoss)
	}
	var later []evaluation.Rating
	for _, r := range data.Ratings {
		if !slices.Contains(today.Ratings, r) {
			later = append(later, r)
		}
	}
	task := evaluation.NewTask(len(data.Products), today.Ratings, later, signal.MinStars)
	ndcg := func(m *ials.Model) []float64 {
		scores, err := evaluation.Measure(t.Context(), task, 2, ranker(m))
		if err != nil {
			t.Fatal(err)
		}
		return scores.NDCG10
	}
	low, high := evaluation.Difference(ndcg(warm), ndcg(cold))
	t.Logf("%d customers: NDCG@10 %.4f, cold %.4f, difference %+.4f to %+.4f", len(task.Cases),
		evaluation.Mean(ndcg(warm)), evaluation.Mean(ndcg(cold)), low, high)
	if high < 0 || low < -0.005 {
		t.Errorf("a warm start changes NDCG@10 by %+.4f to %+.4f", low, high)
	}
}

// TestOnlyTheLastFitStartsWarm: the notes name the version before; the report is that of a cold training,
// because that version knows what is held out.
func TestOnlyTheLastFitStartsWarm(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.1)
	live := mustTrain(t, Trainer{Config: quick()}, until(data, 0.9))
	cfg := quick()
	cold := mustTrain(t, Trainer{Config: cfg, Previous: live}, data)
	notes := func(v *modelversion.Version) (n Notes) {
		if err := json.Unmarshal(v.Training, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	cfg.WarmStart = true
	warm := mustTrain(t, Trainer{Config: cfg, Previous: live}, data)
	if n := notes(warm); n.WarmStart != live.ID || n.Used.Epochs != warmEpochs {
		t.Errorf("the notes are %+v", n)
	}
	if !reflect.DeepEqual(warm.Report, cold.Report) || reflect.DeepEqual(warm.Items, cold.Items) {
		t.Errorf("the report is %+v, a cold training's %+v", warm.Report, cold.Report)
	}
	for name, trainer := range map[string]Trainer{
		"nothing before": {Config: cfg}, "not asked": {Config: quick(), Previous: live},
		"another dimension": {Config: func() Config { c := cfg; c.Dim = 16; return c }(), Previous: live},
	} {
		if n := notes(mustTrain(t, trainer, data)); n.WarmStart != "" || n.Used.Epochs != cfg.Epochs {
			t.Errorf("%s: the notes are %+v", name, n)
		}
	}
}
