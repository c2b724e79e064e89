package ials

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"kindred/internal/model/modelversion"
)

// Config is how to train.
type Config struct {
	Dim     int     `json:"dim"`     // components of a vector
	Alpha0  float64 `json:"alpha0"`  // weight of an unobserved pair, > 0
	Lambda  float64 `json:"lambda"`  // regularisation, > 0
	Nu      float64 `json:"nu"`      // exponent of its frequency scaling: 0 none, 1 proportional (the paper's best)
	Epochs  int     `json:"epochs"`  // sweeps over both sides
	Seed    uint64  `json:"seed"`    // of the initial vectors
	Threads int     `json:"threads"` // rows solved at once; the result does not depend on it
	// Start are the initial vectors of the columns, row-major. With nil, and for a row of zeros, they are
	// drawn.
	Start []float32 `json:"-"`
}

// initialSpread is the standard deviation of a whole initial vector: components are N(0, 0.1/√d),
// as in the paper.
const initialSpread = 0.1

// Model is a trained pair of factor matrices, row-major.
type Model struct {
	Dim   int
	Users []float32 // Rows × Dim
	Items []float32 // Cols × Dim
}

// User is the vector of row u.
func (m *Model) User(u int) []float32 { return m.Users[u*m.Dim : (u+1)*m.Dim] }

// Item is the vector of column i.
func (m *Model) Item(i int) []float32 { return m.Items[i*m.Dim : (i+1)*m.Dim] }

func (c Config) validate() error {
	if c.Dim <= 0 || c.Epochs <= 0 || !(c.Alpha0 > 0) || !(c.Lambda > 0) || !modelversion.Finite(c.Alpha0,
		c.Lambda, c.Nu) {
		return fmt.Errorf("train with dim %d, %d epochs, alpha0 %g, lambda %g, nu %g: %w", c.Dim, c.Epochs, c.Alpha0,
			c.Lambda, c.Nu, ErrInvalid)
	}
	return nil
}

// Fit trains on m, whose rows are users and columns items. The same input and seed give the same
// bits on every machine with the same Kernel, whatever Threads is. Fit chooses the basis of the
// vectors, so only their inner products have a meaning. Rows and columns without interactions
// get zero vectors. progress, if not nil, is called after each epoch. Its argument loss computes
// Loss at that moment, and costs nothing unless it is called. An error is ErrNoInteractions,
// ErrInvalid, ErrSingular or the context's.
func Fit(ctx context.Context, m *Matrix, cfg Config, progress func(epoch int, loss func() float64)) (*Model, error) {
	return fit(ctx, chooseKernels(), m, cfg, progress)
}

func fit(ctx context.Context, k *kernels, m *Matrix, cfg Config,
	progress func(epoch int, loss func() float64)) (*Model, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	t := m.Transposed()
	model := &Model{Dim: cfg.Dim, Users: make([]float32, m.Rows*cfg.Dim), Items: make([]float32, m.Cols*cfg.Dim)}
	rng := rand.New(rand.NewPCG(cfg.Seed, 0))
	for i := range model.Items { // users are solved first, so their initial values would never be read
		model.Items[i] = float32(rng.NormFloat64() * initialSpread / math.Sqrt(float64(cfg.Dim)))
	}
	for i, x := range cfg.Start {
		if x != 0 {
			model.Items[i] = x
		}
	}
	s := newSweep(k, cfg)
	for epoch := range cfg.Epochs {
		if err := s.halfStep(ctx, m, model.Items, model.Users); err != nil {
			return nil, fmt.Errorf("solve users in epoch %d: %w", epoch+1, err)
		}
		if err := s.halfStep(ctx, t, model.Users, model.Items); err != nil {
			return nil, fmt.Errorf("solve items in epoch %d: %w", epoch+1, err)
		}
		if progress != nil {
			progress(epoch+1, func() float64 { return model.loss(m, t, cfg) })
		}
	}
	return model, nil
}

// halfStep is Solve, except that it does not rotate back: it may rotate the fixed side, and then
// leaves both sides in the new basis. This saves half of the rotations and changes no inner product.
func (s *sweep) halfStep(ctx context.Context, m *Matrix, fixed, out []float32) error {
	if s.prepare(m, fixed) {
		s.rotate(fixed, s.basis)
	}
	return s.run(ctx, fixed, out)
}

// Memory is how many bytes Fit holds at its peak, including the matrix: 16 per interaction (both
// directions), 4·dim + 24 per row or column, and 4·dim² for each thread and for each of about 40
// partial sums and decompositions.
func Memory(rows, cols, interactions, dim, threads int) int64 {
	n, d, t := int64(rows)+int64(cols), int64(16*lanes(dim)), int64(max(threads, 1))
	blocks := min(gramBlocks, (int64(max(rows, cols))+chunk-1)/chunk)
	perThread := d*d*4 + d*4*int64(max(chunk, 2*rowsPerTask, dualLimit(dim)+3)) + 16*d
	return 16*int64(interactions) + n*(4*d+24) + blocks*d*d*4 + perThread*t + d*d*(4+4+16+4+3) + 1<<20
}

// Loss is the value of the function that Fit minimises, in one pass over the interactions.
func (m *Model) Loss(x *Matrix, cfg Config) float64 { return m.loss(x, x.Transposed(), cfg) }

func (m *Model) loss(x, transposed *Matrix, cfg Config) float64 {
	d := m.Dim
	var loss float64
	for u := range x.Rows {
		cols, weights := x.Row(u)
		for i, c := range cols {
			e := float64(dot(m.User(u), m.Item(int(c)))) - 1
			loss += float64(weights[i]) * e * e
		}
	}
	gu, gi := Gram(m.Users, d, cfg.Threads), Gram(m.Items, d, cfg.Threads)
	for i := range gu { // Σ over all (⟨w,h⟩)² = tr(Gu·Gi)
		loss += cfg.Alpha0 * float64(gu[i]) * float64(gi[i])
	}
	for _, side := range []struct {
		m       *Matrix
		vectors []float32
	}{{x, m.Users}, {transposed, m.Items}} {
		for r := range side.m.Rows {
			v := side.vectors[r*d : (r+1)*d]
			k := side.m.Start[r+1] - side.m.Start[r]
			loss += Regularisation(cfg.Lambda, cfg.Alpha0, cfg.Nu, k, side.m.Cols) * float64(dot(v, v))
		}
	}
	return loss
}
