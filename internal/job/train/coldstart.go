package train

import (
	"math"
	"slices"
	"strconv"

	"kindred/internal/model/modelversion"
)

const (
	// buckets is how many quantile classes an amount of money is cut into.
	buckets = 5
	// featureRidge shrinks a feature's weight as though that many further rows had the feature and
	// deviated by nothing.
	featureRidge = 10
	// ridgeSweeps and ridgeTolerance end the solution of the ridge: no weight moved by more than the
	// tolerance, or enough is enough.
	ridgeSweeps    = 200
	ridgeTolerance = 1e-5
)

// ridge maps one-hot features to vectors: v ≈ bias + Σ weight[feature].
type ridge struct {
	dim     int
	bias    []float64
	weights map[string][]float64
}

// fitRidge minimises Σ |v − bias − Σ weight|² + featureRidge·Σ|weight|² over rows with their
// features, one feature after the other until nothing moves (Gauss-Seidel): the matrix of a shop
// with thousands of cities is never built.
func fitRidge(dim int, vectors [][]float32, features [][]string) *ridge {
	r := &ridge{dim: dim, bias: make([]float64, dim), weights: make(map[string][]float64)}
	rows := make(map[string][]int)
	var names []string // in the order in which they first come: how they are spelled must not matter
	residual := make([][]float64, len(vectors))
	for i, v := range vectors {
		residual[i] = make([]float64, dim)
		for j, x := range v {
			residual[i][j] = float64(x)
		}
		for _, f := range features[i] {
			if r.weights[f] == nil {
				r.weights[f] = make([]float64, dim)
				names = append(names, f)
			}
			rows[f] = append(rows[f], i)
		}
	}
	everyone := make([]int, len(vectors))
	for i := range everyone {
		everyone[i] = i
	}
	for range ridgeSweeps {
		moved := settle(r.bias, everyone, residual, 0)
		for _, f := range names {
			moved = max(moved, settle(r.weights[f], rows[f], residual, featureRidge))
		}
		if moved < ridgeTolerance {
			break
		}
	}
	return r
}

// settle sets w to its best value while all other weights stay, updates the residuals of its rows,
// and returns the largest change.
func settle(w []float64, rows []int, residual [][]float64, shrink float64) (moved float64) {
	if len(rows) == 0 {
		return 0
	}
	sum := make([]float64, len(w))
	for _, i := range rows {
		for j, x := range residual[i] {
			sum[j] += x
		}
	}
	for j, old := range w {
		sum[j] = (sum[j] - shrink*old) / (float64(len(rows)) + shrink)
		w[j] += sum[j]
		moved = max(moved, math.Abs(sum[j]))
	}
	for _, i := range rows {
		for j, change := range sum {
			residual[i][j] -= change
		}
	}
	return moved
}

// vector is what the features say; unknown ones say nothing.
func (r *ridge) vector(features []string) []float32 {
	sum := slices.Clone(r.bias)
	for _, f := range features {
		for j, x := range r.weights[f] {
			sum[j] += x
		}
	}
	return narrow(sum)
}

// encoder is the bias and the weights as they are stored.
func (r *ridge) encoder() (bias []float32, weights map[string][]float32) {
	weights = make(map[string][]float32, len(r.weights))
	for f, w := range r.weights {
		weights[f] = narrow(w)
	}
	return narrow(r.bias), weights
}

// productEncoder is what r learned from products.
func (r *ridge) productEncoder(products []Product) *modelversion.ProductEncoder {
	e := &modelversion.ProductEncoder{Edges: numberEdges(len(products), productNumbers(products))}
	e.Bias, e.Weights = r.encoder()
	return e
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// quantileEdges are the ascending, distinct upper bounds of the buckets but the last, which has none.
func quantileEdges(values []float64) []float64 {
	sorted := slices.Sorted(slices.Values(values))
	var edges []float64
	for b := 1; b < buckets && len(sorted) > 0; b++ {
		edges = append(edges, sorted[min(b*len(sorted)/buckets, len(sorted)-1)])
	}
	return slices.Compact(edges)
}

func creditEdges(customers []Customer) []float64 {
	var limits []float64
	for i := range customers {
		if credit := customers[i].Credit; credit != nil {
			limits = append(limits, *credit)
		}
	}
	return quantileEdges(limits)
}

func customerFeatures(c *Customer, e *modelversion.Encoder) []string {
	return append(e.Features(c.Country, c.City, c.Credit), named(c.Features)...)
}

func productNumbers(products []Product) func(i int) []Number {
	return func(i int) []Number { return products[i].Numbers }
}

func productFeatures(products []Product) [][]string {
	numbers := numberFeatures(len(products), productNumbers(products))
	features := make([][]string, len(products))
	for i := range products {
		features[i] = append(named(products[i].Features), numbers[i]...)
	}
	return features
}

func named(features []Feature) []string {
	names := make([]string, 0, len(features)+1)
	for _, f := range features {
		names = append(names, f.Name+"="+f.Value)
	}
	return names
}

// numberEdges are the bounds of the buckets of each kind of number.
func numberEdges(rows int, of func(int) []Number) map[string][]float64 {
	values := map[string][]float64{}
	for i := range rows {
		for _, n := range of(i) {
			values[n.Name] = append(values[n.Name], n.Value)
		}
	}
	edges := make(map[string][]float64, len(values))
	for name, all := range values {
		edges[name] = quantileEdges(all)
	}
	return edges
}

// numberFeatures cuts each kind of number into buckets: "price=3".
func numberFeatures(rows int, of func(int) []Number) [][]string {
	edges := numberEdges(rows, of)
	features := make([][]string, rows)
	for i := range rows {
		for _, n := range of(i) {
			bucket, _ := slices.BinarySearch(edges[n.Name], n.Value)
			features[i] = append(features[i], n.Name+"="+strconv.Itoa(bucket))
		}
	}
	return features
}

// fillIn learns features → vector on the rows that are not empty, and writes the empty ones' vectors.
// It says which those are.
func fillIn(dim, rows int, empty func(int) bool, features [][]string, embeddings *dense,
	vector func(int) []float32) (filled []bool, r *ridge) {
	var places []int
	var known [][]float32
	var knownFeatures [][]string
	filled = make([]bool, rows)
	for i := range rows {
		if filled[i] = empty(i); !filled[i] {
			places, known, knownFeatures = append(places, i), append(known, vector(i)), append(knownFeatures, features[i])
		}
	}
	m := fitMixed(dim, places, known, knownFeatures, embeddings)
	for i := range rows {
		if filled[i] {
			copy(vector(i), m.vector(i, features[i]))
		}
	}
	return filled, m.features
}
