package ials

import (
	"fmt"
	"math"

	"kindred/internal/modelversion"
)

// Observation is one item of a session: its vector and how much it counts.
type Observation struct {
	Vector []float32
	Weight float32 // confidence, finite and not negative; see Solver.ViewWeight and Solver.CartWeight
}

// Folder folds sessions into the space of one model version. It is safe for concurrent use.
type Folder struct {
	solver modelversion.Solver
	base   []float64 // α0·G
}

// NewFolder checks s and prepares it. An error is ErrInvalid.
func NewFolder(s modelversion.Solver) (*Folder, error) {
	d := s.Dim
	if d <= 0 || len(s.Gram) != d*d {
		return nil, fmt.Errorf("prepare solver of dimension %d with %d Gram values: %w", d, len(s.Gram), ErrInvalid)
	}
	if !(s.Lambda > 0) || !(s.Alpha0 >= 0) || s.Items < 0 || !finite64(s.Lambda, s.Alpha0, s.Nu) {
		return nil, fmt.Errorf("prepare solver with lambda %g, alpha0 %g, nu %g, %d items: %w",
			s.Lambda, s.Alpha0, s.Nu, s.Items, ErrInvalid)
	}
	f := &Folder{solver: s, base: make([]float64, d*d)}
	for i, g := range s.Gram {
		f.base[i] = s.Alpha0 * float64(g)
	}
	if !finite64(f.base...) {
		return nil, fmt.Errorf("prepare solver: Gram matrix is not finite: %w", ErrInvalid)
	}
	return f, nil
}

// Fold solves (A0 + Σ c·v·vᵀ)·w = A0·w0 + Σ c·v with A0 = α0·G + λ'·I: what the session says, pulled towards the prior w0
// (nil: none). Without a prior these are a training row's equations; without observations w is the prior itself.
// An error is ErrInvalid (wrong dimension, a value that is not finite, a negative weight) or ErrSingular.
func (f *Folder) Fold(prior []float32, obs []Observation) (*Query, error) {
	d := f.solver.Dim
	if prior != nil && (len(prior) != d || !finite32(prior)) {
		return nil, fmt.Errorf("fold onto a prior of %d components, want %d finite ones: %w", len(prior), d, ErrInvalid)
	}
	for i, o := range obs {
		if len(o.Vector) != d || !finite32(o.Vector) || !(o.Weight >= 0) || math.IsInf(float64(o.Weight), 0) {
			return nil, fmt.Errorf("fold observation %d (%d components, weight %g), want %d finite ones: %w",
				i, len(o.Vector), o.Weight, d, ErrInvalid)
		}
	}
	a := make([]float64, d*d)
	copy(a, f.base)
	ridge := Regularisation(f.solver.Lambda, f.solver.Alpha0, f.solver.Nu, len(obs), f.solver.Items)
	for i := range d {
		a[i*d+i] += ridge
	}
	q := &Query{dim: d, pull: make([]float64, d), obs: obs, vector: make([]float32, d)}
	if prior != nil {
		for i := range d {
			for j := range d {
				q.pull[i] += a[i*d+j] * float64(prior[j])
			}
		}
	}
	b := append([]float64(nil), q.pull...)
	for _, o := range obs {
		for i, v := range o.Vector {
			x := float64(o.Weight) * float64(v)
			b[i] += x
			row := a[i*d : i*d+i+1]
			for j := range row {
				row[j] += x * float64(o.Vector[j])
			}
		}
	}
	if !factor(a, d) {
		return nil, fmt.Errorf("fold %d observations: %w", len(obs), ErrSingular)
	}
	solve(a, d, b)
	for i, x := range b {
		q.vector[i] = float32(x)
	}
	if !finite32(q.vector) {
		return nil, fmt.Errorf("fold %d observations: result overflows: %w", len(obs), ErrSingular)
	}
	q.factor = a
	return q, nil
}

// Query is a folded session: a vector to rank items by, and the parts it is made of. It keeps the observations it was
// folded from, which must not change. It is safe for concurrent use.
type Query struct {
	dim    int
	factor []float64 // Cholesky factor of A0 + Σ c·v·vᵀ
	pull   []float64 // A0·w0
	obs    []Observation
	vector []float32
}

// Vector is the query vector; an item's score is its inner product with it. The caller must not change it.
func (q *Query) Vector() []float32 { return q.vector }

// Contributions splits an item's score into what the prior adds and what each observation adds, in the order given to
// Fold: prior + Σ each = ⟨q, item⟩, exact up to float32. The item must have the model's dimension.
func (q *Query) Contributions(item []float32) (prior float32, each []float32) {
	z := make([]float64, q.dim) // z = A⁻¹·item, so that ⟨A⁻¹·part, item⟩ = ⟨part, z⟩ for every part of the right-hand side
	for i := range z {
		z[i] = float64(item[i])
	}
	solve(q.factor, q.dim, z)
	each = make([]float32, len(q.obs))
	for i, o := range q.obs {
		var s float64
		for j, v := range o.Vector {
			s += z[j] * float64(v)
		}
		each[i] = float32(s * float64(o.Weight))
	}
	return float32(dot(z, q.pull)), each
}

func finite32(x []float32) bool {
	for _, v := range x {
		if v-v != 0 { // NaN and both infinities
			return false
		}
	}
	return true
}

func finite64(x ...float64) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
