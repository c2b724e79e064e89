package ials_test

import (
	"context"
	"fmt"

	"kindred/internal/model/ials"
)

// Four customers and four products: the first two customers like the products 0 and 1, the others 2
// and 3. Customer 0 has not seen product 1 yet, and it is the best of what is left.
func ExampleFit() {
	likes := &ials.Matrix{Rows: 4, Cols: 4, Start: []int{0, 1, 3, 5, 7}, Col: []int32{0, 0, 1, 2, 3, 2, 3},
		Weight: []float32{1, 1, 1, 1, 1, 1, 1}}
	cfg := ials.Config{Dim: 2, Alpha0: 0.1, Lambda: 0.01, Nu: 1, Epochs: 20, Seed: 1}
	model, err := ials.Fit(context.Background(), likes, cfg, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	scores := make([]float32, likes.Cols)
	ials.Scores(model.User(0), model.Items, model.Dim, scores)
	fmt.Println(scores[1] > scores[2], scores[1] > scores[3])
	// Output: true true
}
