package train

import (
	"math"
	"slices"
	"testing"

	"kindred/internal/model/modelversion"
	"kindred/internal/shop"
)

// TestRidgeByHand: with one feature on half of the rows, bias and weight have closed forms.
func TestRidgeByHand(t *testing.T) {
	t.Parallel()
	var vectors [][]float32
	var features [][]string
	for range 20 {
		vectors, features = append(vectors, []float32{1, 5}, []float32{3, 5}), append(features, nil, []string{"f"})
	}
	r := fitRidge(2, vectors, features)
	// Setting both derivatives to zero: b = 1 + (2 − w)/2, w = 20·(3 − b)/30 → w = 1, b = 1.5.
	for i, want := range [][2]float64{{1.5, 5}, {1, 0}} {
		got := [][]float64{r.bias, r.weights["f"]}[i]
		if math.Abs(got[0]-want[0]) > 1e-3 || math.Abs(got[1]-want[1]) > 1e-3 {
			t.Errorf("solution %d is %v, want %v", i, got, want)
		}
	}
	if got := r.vector([]string{"f", "never seen"}); math.Abs(float64(got[0])-2.5) > 1e-3 {
		t.Errorf("vector is %v, want 2.5 first", got)
	}
	if got := fitRidge(2, nil, nil).vector([]string{"f"}); !slices.Equal(got, []float32{0, 0}) {
		t.Errorf("learnt %v from nothing", got)
	}
}

func TestQuantileEdges(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ values, want []float64 }{
		"nothing":    {nil, nil},
		"one value":  {[]float64{3, 3, 3, 3}, []float64{3}},
		"ten values": {[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, []float64{3, 5, 7, 9}},
	}
	for name, test := range tests {
		if got := quantileEdges(test.values); !slices.Equal(got, test.want) {
			t.Errorf("%s: edges %v, want %v", name, got, test.want)
		}
	}
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	credit := shop.Cents(150_00)
	encoder := &modelversion.Encoder{CreditEdges: []float64{100, 200}}
	data := NewData([]shop.Customer{{Country: "France", City: "Paris", CreditLimit: &credit}},
		[]shop.Product{{Line: "Cars", Scale: "1:10", Vendor: "V", MSRP: 5}, {MSRP: 900}}, nil)
	got := customerFeatures(&data.Customers[0], encoder)
	if want := []string{"country=France", "city=Paris", "credit=1"}; !slices.Equal(got, want) {
		t.Errorf("customer has %v, want %v", got, want)
	}
	products := productFeatures(data.Products)
	if want := []string{"category=Cars", "scale=1:10", "brand=V", "price=0"}; !slices.Equal(products[0], want) {
		t.Errorf("product has %v, want %v", products[0], want)
	}
}
