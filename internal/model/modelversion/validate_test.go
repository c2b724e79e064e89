package modelversion

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func version() *Version {
	return &Version{
		ID:        "m0123456789abcde",
		Items:     []Item{{Code: "S10", Vector: []float32{1, 2}}, {Code: "S9", Vector: []float32{0.5, -1}}},
		Customers: []Customer{{ID: "7", Vector: []float32{0.1, 0.2}}, {ID: "8", Vector: []float32{0, 0}}},
		Solver:    Solver{Dim: 2, Items: 2, Gram: []float32{1.25, 1.5, 1.5, 5}},
		Encoder:   Encoder{Bias: []float32{0, 1}, Weights: map[string][]float32{"country=France": {1, 0}}},
	}
}

func TestValidateFindsEachFault(t *testing.T) {
	t.Parallel()
	if err := version().Validate(); err != nil {
		t.Fatal(err)
	}
	near := func(v *Version) *Near {
		v.Solver.Neighbours, v.Solver.NearWeight = 1, 0.5
		v.Near = &Near{Items: [][]Neighbour{{{Item: 1, Weight: 1}}, nil}, Customers: [][]Neighbour{{{0, 1}, {1, 2}}, nil}}
		return v.Near
	}
	whole := version()
	near(whole)
	if err := whole.Validate(); err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	for name, spoil := range map[string]func(v *Version){
		"id that is no identifier":  func(v *Version) { v.ID = "m1; drop" },
		"Gram of other items":       func(v *Version) { v.Solver.Gram[0] = 1.3 },
		"Gram not finite":           func(v *Version) { v.Solver.Gram[1] = nan },
		"Gram of another size":      func(v *Version) { v.Solver.Gram = v.Solver.Gram[:3] },
		"item of another dimension": func(v *Version) { v.Items[1].Vector = []float32{1} },
		"item not finite":           func(v *Version) { v.Items[1].Vector[0] = nan },
		"items out of order":        func(v *Version) { v.Items[0], v.Items[1] = v.Items[1], v.Items[0] },
		"item twice":                func(v *Version) { v.Items[1].Code = "S10" },
		"other number of items":     func(v *Version) { v.Solver.Items = 3 },
		"customer not finite":       func(v *Version) { v.Customers[0].Vector[1] = float32(math.Inf(1)) },
		"customer twice":            func(v *Version) { v.Customers[1].ID = "7" },
		"bias missing":              func(v *Version) { v.Encoder.Bias = nil },
		"feature not finite":        func(v *Version) { v.Encoder.Weights["country=France"][0] = nan },
		"kind that is not known":    func(v *Version) { v.Solver.Kind = "oracle" },
		"kind without its verdict":  func(v *Version) { v.Solver.Kind = KindPopularity },
		"verdict without its kind":  func(v *Version) { v.Report.Verdict = PopularityVerdict("") },
		"neighbours only counted":   func(v *Version) { v.Solver.Neighbours = 1 },
		"neighbours not counted":    func(v *Version) { near(v); v.Solver.Neighbours = 0 },
		"neighbours of no weight":   func(v *Version) { near(v); v.Solver.NearWeight = math.NaN() },
		"similar by nothing":        func(v *Version) { v.Solver.SimilarWeight = 1 },
		"similar below nothing":     func(v *Version) { near(v); v.Solver.SimilarWeight = -1 },
		"neighbours of some items":  func(v *Version) { near(v).Items = nil },
		"neighbours of nobody":      func(v *Version) { near(v).Customers = nil },
		"too many neighbours":       func(v *Version) { near(v).Items[0] = []Neighbour{{0, 1}, {1, 1}} },
		"neighbours out of order":   func(v *Version) { near(v).Customers[0] = []Neighbour{{1, 1}, {0, 1}} },
		"neighbour that is no item": func(v *Version) { near(v).Items[0][0].Item = 2 },
		"neighbour below nothing":   func(v *Version) { near(v).Customers[0][1].Weight = -1 },
		"neighbour not finite":      func(v *Version) { near(v).Customers[0][1].Weight = float32(math.Inf(1)) },
		"training no JSON":          func(v *Version) { v.Training = json.RawMessage("{") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := version()
			spoil(v)
			if err := v.Validate(); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
}
