package ials

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"kindred/internal/model/modelversion"
)

// Observation is one item of a session: its vector and how much it counts.
type Observation struct {
	Vector []float32
	Weight float32 // confidence, finite and not negative; see Solver.ViewWeight and Solver.CartWeight
}

// keptInverses bounds the matrices that a Folder keeps: one for each length of a session, d × d
// float64 (32 KB at d = 64).
const keptInverses = 50

// Folder folds sessions into the space of one model version. It is safe for concurrent use.
//
// The equations of a session of k items are A0, which is the same for all sessions of that length,
// plus k outer products. So a Folder keeps the inverse of A0 for each length, and solves k × k
// instead of d × d equations, exactly (Woodbury). A visitor looks at about five products, not at d.
type Folder struct {
	solver   modelversion.Solver
	base     []float64 // α0·G
	kernels  *kernels
	mu       sync.Mutex
	inverses map[int][]float64 // A0⁻¹ by the number of observations, at most keptInverses
	free     sync.Pool         // of *[]float64: what Fold writes to and does not return
}

// NewFolder checks s and prepares it. An error is ErrInvalid.
func NewFolder(s modelversion.Solver) (*Folder, error) {
	d := s.Dim
	if d <= 0 || len(s.Gram) != d*d {
		return nil, fmt.Errorf("prepare solver of dimension %d with %d Gram values: %w", d, len(s.Gram), ErrInvalid)
	}
	if !(s.Lambda > 0) || !(s.Alpha0 >= 0) || s.Items < 0 || !modelversion.Finite(s.Lambda, s.Alpha0, s.Nu) {
		return nil, fmt.Errorf("prepare solver with lambda %g, alpha0 %g, nu %g, %d items: %w",
			s.Lambda, s.Alpha0, s.Nu, s.Items, ErrInvalid)
	}
	f := &Folder{solver: s, base: make([]float64, d*d), kernels: chooseKernels(), inverses: map[int][]float64{}}
	for i, g := range s.Gram {
		f.base[i] = s.Alpha0 * float64(g)
	}
	if !modelversion.Finite(f.base...) {
		return nil, fmt.Errorf("prepare solver: Gram matrix is not finite: %w", ErrInvalid)
	}
	return f, nil
}

// Fold solves (A0 + Σ c·v·vᵀ)·w = A0·w0 + Σ c·v with A0 = α0·G + λ'·I: what the session says,
// pulled towards the prior w0 (nil: none). Without a prior these are a training row's equations;
// without observations w is the prior itself. An error is ErrInvalid (wrong dimension, a value that
// is not finite, a negative weight) or ErrSingular.
func (f *Folder) Fold(prior []float32, obs []Observation) (*Query, error) {
	d := f.solver.Dim
	if prior != nil && (len(prior) != d || !modelversion.Finite(prior...)) {
		return nil, fmt.Errorf("fold onto a prior of %d components, want %d finite ones: %w", len(prior), d, ErrInvalid)
	}
	for i, o := range obs {
		if len(o.Vector) != d || !modelversion.Finite(o.Vector...) || !(o.Weight >= 0) || !modelversion.Finite(o.Weight) {
			return nil, fmt.Errorf("fold observation %d (%d components, weight %g), want %d finite ones: %w",
				i, len(o.Vector), o.Weight, d, ErrInvalid)
		}
	}
	inverse, err := f.inverse(len(obs))
	if err != nil {
		return nil, fmt.Errorf("fold %d observations: %w", len(obs), err)
	}
	// With V the observations, C their weights: w = w0 + Y·(1 - Vᵀ·w0) and Y = (A0 + V·C·Vᵀ)⁻¹·V·C =
	// A0⁻¹·V·√C·S⁻¹·√C, where S = I + √C·Vᵀ·A0⁻¹·V·√C. Column i of Y is what observation i adds; here
	// it is a row.
	k := len(obs)
	room, _ := f.free.Get().(*[]float64)
	if room == nil {
		room = new([]float64)
	}
	defer f.free.Put(room)
	size := k*d + k*k + d
	*room = slices.Grow((*room)[:0], size)[:size]
	clear(*room)
	vectors, s, sum := (*room)[:k*d], (*room)[k*d:k*d+k*k], (*room)[k*d+k*k:]
	parts := make([]float64, k*d)
	q := &Query{kernels: f.kernels, dim: d, parts: parts, vector: make([]float32, d)}
	for i, o := range obs {
		v, root := vectors[i*d:(i+1)*d], math.Sqrt(float64(o.Weight))
		for j, x := range o.Vector {
			v[j] = root * float64(x)
		}
	}
	f.multiply(parts, inverse, vectors, k)
	for i := range k {
		part := parts[i*d : (i+1)*d]
		for j := range i + 1 {
			s[i*k+j] = f.kernels.dot64(part, vectors[j*d:(j+1)*d])
		}
		s[i*k+i]++
	}
	if !factor(s, k) {
		return nil, fmt.Errorf("fold %d observations: %w", k, ErrSingular)
	}
	solveRows(s, k, parts, d)
	q.prior = wide(prior)
	copy(sum, q.prior)
	for i, o := range obs {
		part, root := parts[i*d:(i+1)*d], math.Sqrt(float64(o.Weight))
		for j := range part {
			part[j] *= root
		}
		var known float64 // what the prior says of the observation already
		for j, x := range prior {
			known += float64(o.Vector[j]) * float64(x)
		}
		axpy(1-known, part, sum)
		if prior != nil {
			axpy(-known, part, q.prior)
		}
	}
	for j, x := range sum {
		q.vector[j] = float32(x)
	}
	if !modelversion.Finite(q.vector...) {
		return nil, fmt.Errorf("fold %d observations: result overflows: %w", k, ErrSingular)
	}
	return q, nil
}

// multiply sets each of k rows of parts to the inverse times the row of vectors. The inverse is read once: it is
// larger than the first-level cache.
func (f *Folder) multiply(parts, inverse, vectors []float64, k int) {
	d := f.solver.Dim
	for j := 0; j+1 < d; j += 2 {
		row0, row1 := inverse[j*d:(j+1)*d], inverse[(j+1)*d:(j+2)*d]
		for i := 0; i < k; i += 2 {
			y0, y1 := i*d, min(i+1, k-1)*d
			f.kernels.dots64((*[2]float64)(parts[y0+j:]), (*[2]float64)(parts[y1+j:]), row0, row1, vectors[y0:y0+d],
				vectors[y1:y1+d])
		}
	}
	if d%2 == 1 {
		for i := range k {
			parts[(i+1)*d-1] = f.kernels.dot64(inverse[(d-1)*d:], vectors[i*d:(i+1)*d])
		}
	}
}

// wide is a vector in float64; nil stays nil.
func wide(vector []float32) []float64 {
	if vector == nil {
		return nil
	}
	to := make([]float64, len(vector))
	for i, x := range vector {
		to[i] = float64(x)
	}
	return to
}

// inverse is (α0·G + λ'·I)⁻¹ for k observations.
func (f *Folder) inverse(k int) ([]float64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.inverses[k]; known != nil {
		return known, nil
	}
	d := f.solver.Dim
	a := append([]float64(nil), f.base...)
	ridge := Regularisation(f.solver.Lambda, f.solver.Alpha0, f.solver.Nu, k, f.solver.Items)
	for i := range d {
		a[i*d+i] += ridge
	}
	if !factor(a, d) {
		return nil, ErrSingular
	}
	inverse := make([]float64, d*d)
	for i := range d {
		row := inverse[i*d : (i+1)*d] // a column as well: it is symmetric
		row[i] = 1
		solve(a, d, row)
	}
	if len(f.inverses) < keptInverses {
		f.inverses[k] = inverse
	}
	return inverse, nil
}

// Query is a folded session: a vector to rank items by, and the parts that it is the sum of. It is
// safe for concurrent use.
type Query struct {
	kernels *kernels
	dim     int
	prior   []float64 // what the prior adds to the vector; nil: there was none
	parts   []float64 // what each observation adds, by rows
	vector  []float32
}

// Vector is the query vector; an item's score is its inner product with it. The caller must not change it.
func (q *Query) Vector() []float32 { return q.vector }

// Contributions splits an item's score into what the prior adds and what each observation adds, in
// the order given to Fold: prior + Σ each = ⟨q, item⟩, exact up to float32. It appends the latter
// to each. The item must have the model's dimension.
func (q *Query) Contributions(item, each []float32) (prior float32, _ []float32) {
	for start := 0; start < len(q.parts); start += q.dim {
		each = append(each, float32(q.kernels.mixed(q.parts[start:start+q.dim], item)))
	}
	if q.prior != nil {
		prior = float32(q.kernels.mixed(q.prior, item))
	}
	return prior, each
}
