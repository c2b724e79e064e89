package ials

import "fmt"

// Ridge holds the equations (XᵀX + λ·I)·E = XᵀY of rows X (n × from) and Y (n × to), both row-major: a
// linear map from x to y. Rows can be taken out again, to validate on them.
type Ridge struct {
	from, to int
	gram     []float64 // XᵀX
	right    []float64 // XᵀY
}

// NewRidge is without rows.
func NewRidge(from, to int) *Ridge {
	return &Ridge{from: from, to: to, gram: make([]float64, from*from), right: make([]float64, from*to)}
}

// Add adds a row with a weight: 1, or -1 to take it out again.
func (r *Ridge) Add(x, y []float32, weight float64) {
	for i, v := range x {
		if v == 0 {
			continue
		}
		scaled := weight * float64(v)
		row := r.gram[i*r.from : i*r.from+i+1] // the lower triangle
		for j := range row {
			row[j] += scaled * float64(x[j])
		}
		right := r.right[i*r.to : (i+1)*r.to]
		for j, t := range y {
			right[j] += scaled * float64(t)
		}
	}
}

// Clone is r with rows of its own.
func (r *Ridge) Clone() *Ridge {
	return &Ridge{from: r.from, to: r.to, gram: append([]float64(nil), r.gram...),
		right: append([]float64(nil), r.right...)}
}

// Solve returns E, from × to. lambda is above 0. An error is ErrSingular.
func (r *Ridge) Solve(lambda float64) ([]float64, error) {
	a, e := append([]float64(nil), r.gram...), append([]float64(nil), r.right...)
	for i := range r.from {
		a[i*r.from+i] += lambda
	}
	if !factor(a, r.from) {
		return nil, fmt.Errorf("solve a ridge of %d columns with lambda %g: %w", r.from, lambda, ErrSingular)
	}
	solveRows(a, r.from, e, r.to)
	return e, nil
}
