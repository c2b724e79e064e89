package evaluation

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"kindred/internal/model/modelversion"
)

// TestMetricsByHand ranks eight products, of which number 7 has been seen.
func TestMetricsByHand(t *testing.T) {
	t.Parallel()
	second, third := 1/math.Log2(3), 0.5 // discounts of places 2 and 3; place 1 counts 1
	nan := float32(math.NaN())
	tests := map[string]struct {
		scores       []float32
		relevant     []int32
		k            int
		ndcg, recall float64
		reciprocal   float64
	}{
		"perfect":                   {[]float32{9, 8, 1, 2, 3, 4, 5, 99}, []int32{0, 1}, 3, 1, 1, 1},
		"second place only":         {[]float32{9, 8, 1, 2, 3, 4, 5, 99}, []int32{1}, 3, second, 1, 0.5},
		"first and third of two":    {[]float32{9, 8, 7, 2, 3, 4, 5, 99}, []int32{0, 2}, 3, (1 + third) / (1 + second), 1, 1},
		"more relevant than places": {[]float32{9, 8, 7, 6, 3, 4, 5, 99}, []int32{0, 2, 3, 4}, 2, 1 / (1 + second), 0.25, 1},
		"nothing found":             {[]float32{9, 8, 7, 6, 5, 4, 3, 99}, []int32{6}, 3, 0, 0, 1.0 / 7},
		"both tied, two places":     {[]float32{5, 5, 1, 1, 1, 1, 1, 99}, []int32{0, 1}, 2, 1, 1, 1},
		"one of a tie of two":       {[]float32{5, 5, 1, 1, 1, 1, 1, 99}, []int32{1}, 2, (1 + second) / 2, 1, 0.75},
		"a tie across the cutoff": {[]float32{9, 5, 5, 5, 1, 1, 1, 99}, []int32{2}, 2, second / 3, 1.0 / 3,
			(1.0/2 + 1.0/3 + 1.0/4) / 3},
		"two of a tie of three": {[]float32{5, 5, 5, 1, 1, 1, 1, 5}, []int32{0, 1}, 1, 2.0 / 3, 1.0 / 3, (1 + 1 + 0.5) / 3},
		"no number is last": {[]float32{nan, nan, 5, 1, 1, 1, 1, 99}, []int32{0}, 7,
			(1/math.Log2(7) + 1/math.Log2(8)) / 2, 1, (1.0/6 + 1.0/7) / 2},
		"relevant but seen": {[]float32{9, 8, 7, 6, 5, 4, 3, 99}, []int32{7}, 3, 0, 0, 0},
		"one of two seen":   {[]float32{9, 8, 7, 6, 5, 4, 3, 99}, []int32{0, 7}, 3, 1 / (1 + second), 0.5, 1},
		"all alike": {make([]float32, 8), []int32{4}, 1, 1.0 / 7, 1.0 / 7,
			(1 + 1.0/2 + 1.0/3 + 1.0/4 + 1.0/5 + 1.0/6 + 1.0/7) / 7},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			masked := []bool{7: true}
			got := placesOf(test.scores, masked, Top(test.scores, masked, LongCut), test.relevant)
			n := len(test.relevant)
			if x := got.ndcg(test.k, n); math.Abs(x-test.ndcg) > 1e-12 {
				t.Errorf("NDCG is %g, want %g", x, test.ndcg)
			}
			if x := got.recall(test.k, n); math.Abs(x-test.recall) > 1e-12 {
				t.Errorf("recall is %g, want %g", x, test.recall)
			}
			if x := got.reciprocal(); math.Abs(x-test.reciprocal) > 1e-12 {
				t.Errorf("reciprocal rank is %g, want %g", x, test.reciprocal)
			}
		})
	}
}

// TestTiesAreTheMeanOverTheirOrders compares with rankings without ties: all of those that the tied
// ranking may stand for, drawn at random.
func TestTiesAreTheMeanOverTheirOrders(t *testing.T) {
	t.Parallel()
	const products, draws = 60, 40_000
	rng := rand.New(rand.NewPCG(4, 4))
	for range 5 {
		scores, masked, relevant := make([]float32, products), make([]bool, products), []int32(nil)
		for p := range scores {
			scores[p] = float32(rng.IntN(8))
			if masked[p] = rng.IntN(6) == 0; !masked[p] && rng.IntN(8) == 0 {
				relevant = append(relevant, int32(p))
			}
		}
		if len(relevant) == 0 {
			continue
		}
		figures := func(scores []float32) [5]float64 {
			g, n := placesOf(scores, masked, Top(scores, masked, LongCut), relevant), len(relevant)
			return [5]float64{g.ndcg(ShortCut, n), g.recall(ShortCut, n), g.ndcg(LongCut, n), g.recall(LongCut, n),
				g.reciprocal()}
		}
		var mean [5]float64
		for range draws {
			untied := make([]float32, products)
			for i, p := range rng.Perm(products) {
				untied[p] = scores[p] + float32(i)/(2*products)
			}
			for i, x := range figures(untied) {
				mean[i] += x / draws
			}
		}
		for i, got := range figures(scores) {
			if math.Abs(got-mean[i]) > 0.01 {
				t.Errorf("figure %d is %.4f, the mean over orders %.4f", i, got, mean[i])
			}
		}
	}
}

func TestTop(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	scores := []float32{1, 5, nan, 5, 3, 9, -2}
	masked := []bool{false, false, false, false, false, true, false}
	for k, want := range map[int][]int32{1: {1}, 3: {1, 3, 4}, 6: {1, 3, 4, 0, 6, 2}, 99: {1, 3, 4, 0, 6, 2}} {
		if got := Top(scores, masked, k); !slices.Equal(got, want) {
			t.Errorf("top %d is %v, want %v", k, got, want)
		}
	}
}

func TestMeasureMasksWhatWasSeen(t *testing.T) {
	t.Parallel()
	task := &Task{Products: 4, Cases: []Case{
		{Customer: 0, Seen: []int32{3}, Relevant: []int32{2}}, // 3 is masked, so 2 comes first
		{Customer: 1, Relevant: []int32{2}},                   // 3 is in the way
	}}
	byIndex := func(_ int32, scores []float32) {
		for p := range scores {
			scores[p] = float32(p)
		}
	}
	for _, threads := range []int{1, 4} {
		got, err := Measure(t.Context(), task, threads, Ranker(byIndex).Each)
		if err != nil || got.NDCG10[0] != 1 || got.NDCG10[1] != 1/math.Log2(3) {
			t.Errorf("with %d threads: %+v, %v", threads, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, task, 1, Ranker(byIndex).Each); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}

func TestInterval(t *testing.T) {
	t.Parallel()
	coins := make([]float64, 400) // half zeros, half ones: the mean's standard error is 0.025
	for i := range coins {
		coins[i] = float64(i % 2)
	}
	low, high := Interval(coins)
	if math.Abs(low-0.451) > 0.01 || math.Abs(high-0.549) > 0.01 {
		t.Errorf("interval of 400 coins is %g to %g, want about 0.451 to 0.549", low, high)
	}
	if again, _ := Interval(coins); again != low {
		t.Errorf("the same figures give %g, then %g", low, again)
	}
	if low, high := Interval([]float64{0.3, 0.3, 0.3}); math.Abs(low-0.3) > 1e-12 || math.Abs(high-0.3) > 1e-12 {
		t.Errorf("interval of a constant is %g to %g", low, high)
	}
	if low, high := Interval(nil); low != 0 || high != 0 {
		t.Errorf("interval of nothing is %g to %g", low, high)
	}
}

func TestDifferenceIsPaired(t *testing.T) {
	t.Parallel()
	a, b := make([]float64, 100), make([]float64, 100)
	for i := range a { // customers differ by up to 1, the rankers always by 0.01
		b[i] = float64(i) / 100
		a[i] = b[i] + 0.01
	}
	if low, high := Difference(a, b); low < 0.0099 || high > 0.0101 {
		t.Errorf("difference lies between %g and %g, want 0.01", low, high)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	scores := func(n int, v float64) Scores { return Scores{NDCG10: slices.Repeat([]float64{v, v / 2}, n/2)} }
	tests := map[string]struct {
		model     Scores
		baselines []Named
		want      modelversion.Outcome
	}{
		"better than all":    {scores(40, 0.4), []Named{{"a", scores(40, 0.3)}, {"b", scores(40, 0.1)}}, "passed"},
		"equal to one":       {scores(40, 0.4), []Named{{"a", scores(40, 0.4)}, {"b", scores(40, 0.1)}}, "refused"},
		"worse than one":     {scores(40, 0.4), []Named{{"a", scores(40, 0.1)}, {"b", scores(40, 0.5)}}, "refused"},
		"too few customers":  {scores(8, 0.4), []Named{{"a", scores(8, 0.1)}}, "uncompared"},
		"nobody to judge by": {Scores{}, nil, "uncompared"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := Judge(test.model, test.baselines)
			if v.Decision() != test.want || v.Pass != (test.want == "passed") || len(v.Reasons) == 0 ||
				(test.want == "uncompared") != slices.Contains(v.Missing, modelversion.WithBaselines) {
				t.Errorf("verdict is %+v, want %s with reasons", v, test.want)
			}
		})
	}
}

func TestNotWorse(t *testing.T) {
	t.Parallel()
	same := func(v float64, n int) Scores { return Scores{NDCG10: slices.Repeat([]float64{v}, n)} }
	for want, v := range map[modelversion.Outcome]modelversion.Verdict{
		"passed":     NotWorse(same(0.3, 40), same(0.3, 40), "m1"),
		"refused":    NotWorse(same(0.2, 40), same(0.3, 40), "m1"),
		"uncompared": NotWorse(same(0.2, 9), same(0.3, 9), "m1"),
	} {
		if v.Decision() != want || len(v.Reasons) != 1 || (want == "uncompared") != (len(v.Missing) == 1) {
			t.Errorf("verdict is %+v, want %s", v, want)
		}
	}
}
