package evaluation

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func TestMetricsByHand(t *testing.T) {
	t.Parallel()
	second, third := 1/math.Log2(3), 0.5 // discounts of places 2 and 3; place 1 counts 1
	tests := map[string]struct {
		top, relevant []int32
		k             int
		ndcg, recall  float64
	}{
		"perfect":                      {[]int32{4, 7, 1}, []int32{4, 7}, 3, 1, 1},
		"second place only":            {[]int32{1, 4, 2}, []int32{4}, 3, second, 1},
		"first and third of two":       {[]int32{7, 1, 4}, []int32{4, 7}, 3, (1 + third) / (1 + second), 1},
		"more relevant than places":    {[]int32{1, 9}, []int32{1, 2, 3, 4}, 2, 1 / (1 + second), 0.25},
		"nothing found":                {[]int32{1, 2, 3}, []int32{8}, 3, 0, 0},
		"list shorter than the cutoff": {[]int32{8}, []int32{3, 8}, 3, 1 / (1 + second), 0.5},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := NDCG(test.top, test.relevant, test.k); math.Abs(got-test.ndcg) > 1e-12 {
				t.Errorf("NDCG is %g, want %g", got, test.ndcg)
			}
			if got := Recall(test.top, test.relevant); got != test.recall {
				t.Errorf("recall is %g, want %g", got, test.recall)
			}
		})
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
		pass      bool
	}{
		"better than all":    {scores(40, 0.4), []Named{{"a", scores(40, 0.3)}, {"b", scores(40, 0.1)}}, true},
		"equal to one":       {scores(40, 0.4), []Named{{"a", scores(40, 0.4)}, {"b", scores(40, 0.1)}}, false},
		"worse than one":     {scores(40, 0.4), []Named{{"a", scores(40, 0.1)}, {"b", scores(40, 0.5)}}, false},
		"too few customers":  {scores(8, 0.4), []Named{{"a", scores(8, 0.1)}}, false},
		"nobody to judge by": {Scores{}, nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := Judge(test.model, test.baselines)
			if v.Pass != test.pass || len(v.Reasons) == 0 {
				t.Errorf("verdict is %+v, want pass %t with reasons", v, test.pass)
			}
		})
	}
}
