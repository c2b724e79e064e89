package evaluation_test

import (
	"fmt"

	"kindred/internal/model/evaluation"
)

// The interval bounds the mean over customers. It does not depend on the order of a run: the
// samples are seeded.
func ExampleInterval() {
	ndcg := []float64{0.2, 0.4, 0.6, 0.8, 0.2, 0.4, 0.6, 0.8, 0.5, 0.5}
	low, high := evaluation.Interval(ndcg)
	fmt.Println(low < evaluation.Mean(ndcg), evaluation.Mean(ndcg) < high)
	// Output: true true
}
