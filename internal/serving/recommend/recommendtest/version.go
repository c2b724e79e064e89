package recommendtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"kindred/internal/model/modelversion"
)

const (
	lines        = 4  // product lines; each has a direction of its own
	itemsPerLine = 20 // codes L0_00 … L3_19
	dim          = 8
	taste        = 0.4 // length of a customer's vector: the score of a typical product
)

// The customers of Version. All others are unknown to it.
const (
	CustomerOfLine1  string = "101" // trained, likes line 1, has rated L1_00 to L1_04
	CustomerFeatures string = "102" // no history; a vector of line 2 made from features
	CustomerOfAll    string = "103" // trained, has rated everything
)

// Version makes a small model: four product lines with a direction each, L0_00 out of stock,
// popularity falling with the number in the line, and an encoder that knows France (line 3). The
// same id gives the same model.
func Version(id string) *modelversion.Version {
	rng := rand.New(rand.NewPCG(7, 7))
	v := &modelversion.Version{
		ID: id, TrainingRun: "0011223344556677", TrainerVersion: "test", TrainedAt: time.Date(2026, 3,
			1, 0, 0, 0, 0, time.UTC),
		Solver: modelversion.Solver{Dim: dim, Alpha0: 0.05, Lambda: 0.02, Nu: 1, ViewWeight: 1, CartWeight: 4,
			Items: lines * itemsPerLine},
		Encoder: modelversion.Encoder{
			Bias: make([]float32, dim), Weights: map[string][]float32{"country=France": direction(3,
				taste)}, CreditEdges: []float64{50_000},
		},
		Report: modelversion.Report{Split: "made up",
			Verdict: modelversion.Verdict{Pass: true, Reasons: []string{"made up"}}},
	}
	var all []string
	for line := range lines {
		for n := range itemsPerLine {
			vector := direction(line, 1)
			for i := range vector {
				vector[i] += float32(rng.NormFloat64() * 0.03)
			}
			code := fmt.Sprintf("L%d_%02d", line, n)
			all = append(all, code)
			v.Items = append(v.Items, modelversion.Item{Code: code, Name: "Product " + code, Line: fmt.Sprintf("Line %d", line),
				QuantityInStock: 10, Positives: int32(100 - n*lines - line), Origin: modelversion.OriginTrained, Vector: vector})
		}
	}
	v.Items[0].QuantityInStock = 0
	v.Customers = []modelversion.Customer{
		{ID: CustomerOfLine1, Origin: modelversion.OriginTrained, Vector: direction(1, taste),
			Rated: all[itemsPerLine : itemsPerLine+5]},
		{ID: CustomerFeatures, Origin: modelversion.OriginFeatures, Vector: direction(2, taste)},
		{ID: CustomerOfAll, Origin: modelversion.OriginTrained, Vector: direction(0, taste), Rated: all},
	}
	v.Solver.Gram = make([]float32, dim*dim)
	for _, it := range v.Items {
		for i, a := range it.Vector {
			for j, b := range it.Vector {
				v.Solver.Gram[i*dim+j] += a * b
			}
		}
	}
	return v
}

// direction is a vector along a product line.
func direction(line int, length float32) []float32 {
	vector := make([]float32, dim)
	vector[line] = length
	return vector
}
