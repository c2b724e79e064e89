package evaluation

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

// TestGFCFIsASumOfParts adds the low-pass part and all neighbours up to GF-CF's scores, which differ
// only in what a product says of itself.
func TestGFCFIsASumOfParts(t *testing.T) {
	t.Parallel()
	likes := mustTastes(60, 40)
	whole, err := GFCF(t.Context(), likes, 2)
	if err != nil {
		t.Fatal(err)
	}
	low, err := LowPass(t.Context(), likes, gfcfDim, 2)
	if err != nil {
		t.Fatal(err)
	}
	sum := Sum([]Part{{"low", low, gfcfWeight}, {"near", Near(likes, likes.Products, 0.5, 2), 1},
		{"nothing", func([]int32, []float32) { t.Error("a part of weight 0 was asked") }, 0}})
	want, got := make([]float32, 2*likes.Products), make([]float32, 2*likes.Products)
	whole([]int32{3, 8}, want)
	sum([]int32{3, 8}, got)
	for i, c := range []int32{3, 8} {
		for p := range likes.Products {
			if a, b := want[i*likes.Products+p], got[i*likes.Products+p]; !slices.Contains(likes.Of[c], int32(p)) &&
				math.Abs(float64(a-b)) > 1e-4 {
				t.Errorf("customer %d, product %d: GF-CF scores %g, its parts add up to %g", c, p, a, b)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	task := &Task{Products: 4, Cases: []Case{{Customer: 1}, {Customer: 2}}}
	rank := Ranker(func(customer int32, scores []float32) {
		for p := range scores {
			scores[p] = float32(customer) * float32(p%2)
		}
	})
	if got := Spread(task, 2, rank.Each); math.Abs(got-0.75) > 1e-6 {
		t.Errorf("spread is %g, want 0.75", got)
	}
	if got := Spread(&Task{Products: 4}, 2, rank.Each); got != 0 {
		t.Errorf("spread over nobody is %g", got)
	}
}

// TestVariantsAreMeasuredAsRankersOfTheirOwn compares rankers that begin alike with the same ones apart.
func TestVariantsAreMeasuredAsRankersOfTheirOwn(t *testing.T) {
	t.Parallel()
	likes := mustTastes(70, 40)
	task := likes.Task(likes)
	for i := range task.Cases {
		task.Cases[i].Seen = nil
	}
	popular, near := Popularity(likes).Each, Near(likes, 10, 0.5, 2)
	weights := []float64{0, 0.5, 100}
	vary := func(i int, customers []int32, scores []float32) {
		own := make([]float32, len(scores))
		near(customers, own)
		for p := range scores {
			scores[p] += float32(weights[i]) * own[p]
		}
	}
	got, err := MeasureVariants(t.Context(), task, 3, popular, len(weights), vary)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range weights {
		want, err := Measure(t.Context(), task, 1, Sum([]Part{{"popular", popular, 1}, {"near", near, w}}))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("weight %g: NDCG@20 %g, apart %g", w, Mean(got[i].NDCG20), Mean(want.NDCG20))
		}
	}
	if Mean(got[0].NDCG20) == Mean(got[2].NDCG20) {
		t.Error("the weight makes no difference")
	}
}
