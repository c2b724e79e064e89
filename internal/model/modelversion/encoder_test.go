package modelversion

import (
	"slices"
	"testing"
)

func TestEncoder(t *testing.T) {
	t.Parallel()
	e := Encoder{
		Bias:        []float32{1, 0},
		Weights:     map[string][]float32{"country=France": {0, 2}, "credit=1": {3, 0}},
		CreditEdges: []float64{100, 200},
	}
	amount := func(x float64) *float64 { return &x }
	for name, test := range map[string]struct {
		features []string
		named    []string
		vector   []float32
	}{
		"nothing":        {e.Features("", "", nil), nil, nil},
		"unknown only":   {e.Features("Peru", "Lima", amount(99)), []string{"country=Peru", "city=Lima", "credit=0"}, nil},
		"one known":      {e.Features("France", "Lima", nil), []string{"country=France", "city=Lima"}, []float32{1, 2}},
		"on the edge":    {e.Features("", "", amount(200)), []string{"credit=1"}, []float32{4, 0}},
		"above all":      {e.Features("France", "", amount(201)), []string{"country=France", "credit=2"}, []float32{1, 2}},
		"several, added": {e.Features("France", "", amount(101)), []string{"country=France", "credit=1"}, []float32{4, 2}},
	} {
		if !slices.Equal(test.features, test.named) {
			t.Errorf("%s: features %q, want %q", name, test.features, test.named)
		}
		if got := e.Vector(test.features); !slices.Equal(got, test.vector) {
			t.Errorf("%s: vector %v, want %v", name, got, test.vector)
		}
	}
	if !slices.Equal(e.Bias, []float32{1, 0}) {
		t.Error("encoding changed the bias")
	}
}

func TestNewcomer(t *testing.T) {
	t.Parallel()
	features, mean := []float32{2, 4}, []float32{6, 8}
	for name, test := range map[string]struct{ got, want []float32 }{
		"before, features":  {(&Solver{Dim: 2}).Newcomer(features, mean), features},
		"before, nothing":   {(&Solver{Dim: 2}).Newcomer(nil, mean), nil},
		"half the features": {(&Solver{Dim: 2, NewcomerShare: 0.5}).Newcomer(features, mean), []float32{1, 2}},
		"half the mean":     {(&Solver{Dim: 2, NewcomerShare: 0.5}).Newcomer(nil, mean), []float32{3, 4}},
		"no mean":           {(&Solver{Dim: 2, NewcomerShare: 0.5}).Newcomer(nil, nil), nil},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
	if !slices.Equal(features, []float32{2, 4}) || !slices.Equal(mean, []float32{6, 8}) {
		t.Error("it changed what it was given")
	}
}
