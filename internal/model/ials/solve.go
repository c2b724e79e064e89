package ials

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"kindred/internal/platform/parallel"
)

const (
	// gramBlocks is how many partial sums a Gram matrix is added up from. Fixed, so that the order of
	// additions, and with it every bit of the result, does not depend on the number of threads. More
	// would only cost memory (64 KB each at d = 128).
	gramBlocks = 32
	// rowsPerTask is how many rows a thread takes at once: few enough to balance long rows, enough to
	// make the counter cheap.
	rowsPerTask = 32
	// chunk is how many vectors are laid out for the kernels at once: 32 KB at d = 64, the size of a
	// first-level cache.
	chunk = 128
	// maxBoosts is how often a row's diagonal is raised (each time tenfold from boostStart of its
	// largest value) when float32 rounding ate a pivot. It happens only when regularisation is tiny
	// next to the data.
	maxBoosts  = 4
	boostStart = 1e-6
	// negligible components become zero. A model that is regularised to death shrinks towards zero for
	// ever, and arithmetic on denormal numbers is ten times slower than on zeros.
	negligible = 1e-18
)

// Gram is Σ v·vᵀ over the rows of the row-major matrix, as a full d × d matrix.
func Gram(vectors []float32, d, threads int) []float32 {
	s := newSweep(chooseKernels(), Config{Dim: d, Threads: threads})
	return s.gram(vectors)
}

// Solve sets each row of out to the exact solution of its normal equations against the fixed other
// side: (α0·G + Σ c·v·vᵀ + λ_r·I)·w = Σ c·v, v being the vectors of the row's columns. Rows without
// cells become zero.
func Solve(ctx context.Context, m *Matrix, fixed, out []float32, cfg Config) error {
	s := newSweep(chooseKernels(), cfg)
	if s.prepare(m, fixed) {
		fixed = append([]float32(nil), fixed...)
		s.rotate(fixed, s.basis)
	}
	if err := s.run(ctx, fixed, out); err != nil {
		return err
	}
	if s.rotated {
		s.rotate(out, s.transposedBasis())
	}
	return nil
}

// sweep is one half-step: every row solved against the fixed other side.
//
// The equations' matrix is α0·G + λ_r·I, the same for every row up to λ_r, plus k outer products.
// In the eigenbasis of G the first part is a diagonal D whatever λ_r is. A row with few cells then
// has x = D^-½·Bᵀ·(I + B·Bᵀ)⁻¹·√c, B being the k vectors times √c·D^-½: k × k equations instead of
// d × d, exactly the same solution (Woodbury). Rows with many cells solve d × d in whichever basis
// there is.
type sweep struct {
	kernels *kernels
	cfg     Config
	matrix  *Matrix

	base    triangle // α0·G, in the basis if there is one
	rotated bool     // there is a basis; else too few rows are short for it to pay
	basis   []lane   // eigenvectors of G as rows, padded to whole lanes and 4 rows
	// roots is, by the number of cells, (eigenvalues of α0·G + λ)^-½ for the rows that are solved k ×
	// k, and nil for others.
	roots [][]lane

	// Scratch that lives on from half-step to half-step.
	sums       []triangle
	squares    [2][]float64
	byThread   []scratch
	flatMatrix []float32
}

// scratch is one thread's.
type scratch struct {
	vectors []lane // a chunk in panels, a short row's by rows, or two tasks of rows
	rows    rowSolver
}

func newSweep(k *kernels, cfg Config) *sweep {
	s := &sweep{kernels: k, cfg: cfg, byThread: make([]scratch, max(cfg.Threads, 1))}
	m := lanes(cfg.Dim)
	for i := range s.byThread {
		t := &s.byThread[i]
		t.vectors = make([]lane, m*max(chunk, 2*rowsPerTask, (dualLimit(cfg.Dim)+3)/4*4))
		t.rows = rowSolver{sweep: s, vectors: t.vectors, b: make([]lane, m), x: make([]lane, m)}
	}
	return s
}

// gram is Gram; the result is overwritten by the next call.
func (s *sweep) gram(vectors []float32) []float32 {
	d, m := s.cfg.Dim, lanes(s.cfg.Dim)
	n := len(vectors) / d
	blocks := min(gramBlocks, (n+chunk-1)/chunk)
	size := (n + max(blocks, 1) - 1) / max(blocks, 1)
	for len(s.sums) < blocks {
		s.sums = append(s.sums, triangle{})
	}
	parallel.Tasks(s.cfg.Threads, blocks, func(worker, b int) {
		t, panels := &s.sums[b], s.byThread[worker].vectors[:m*chunk]
		t.resize(d)
		for lo, end := b*size, min((b+1)*size, n); lo < end; lo += chunk {
			count := min(chunk, end-lo)
			for p := range count {
				s.kernels.scale(panels[p:], chunk, vectors[(lo+p)*d:(lo+p+1)*d], nil, 1)
			}
			t.gram(s.kernels, panels, chunk, count)
		}
	})
	if s.flatMatrix == nil {
		s.flatMatrix = make([]float32, d*d)
	}
	sum := s.flatMatrix
	clear(sum)
	for b := range blocks {
		for i := range d {
			for j := i; j < d; j++ {
				sum[i*d+j] += *s.sums[b].at(i, j)
			}
		}
	}
	for i := range d {
		for j := range i {
			sum[i*d+j] = sum[j*d+i]
		}
	}
	return sum
}

// dualLimit is the longest row that is solved k × k.
func dualLimit(d int) int { return d * 3 / 4 }

// worthRotating says whether what k × k equations save on the matrix's short rows pays for the
// rotation and the eigenbasis. In multiply-adds; the eigenvectors' double precision and short loops
// count four times.
func worthRotating(m *Matrix, d int) bool {
	cost := float64(m.Cols)*float64(d*d) + 4*6*float64(d*d)*float64(d)
	for r := range m.Rows {
		if k := m.Start[r+1] - m.Start[r]; k > 0 && k <= dualLimit(d) {
			kf, df := float64(k), float64(d)
			cost -= df*df*(kf/2+df/6) - kf*kf*(df/2+kf/6)
			if cost < 0 {
				return true
			}
		}
	}
	return false
}

// prepare computes what all rows share, and says whether the fixed side must be rotated into s.basis.
func (s *sweep) prepare(m *Matrix, fixed []float32) bool {
	s.matrix = m
	d := s.cfg.Dim
	g := s.gram(fixed)
	for i := range g {
		g[i] *= float32(s.cfg.Alpha0)
	}
	s.base.resize(d)
	s.rotated = worthRotating(s.matrix, d) && s.diagonalise(g)
	if s.rotated {
		return true
	}
	s.roots = s.roots[:0]
	for i := range d {
		for j := i; j < d; j++ {
			*s.base.at(i, j) = g[i*d+j]
		}
	}
	return false
}

// diagonalise finds the eigenbasis of g.
func (s *sweep) diagonalise(g []float32) bool {
	d, m := s.cfg.Dim, lanes(s.cfg.Dim)
	if s.basis == nil {
		s.squares = [2][]float64{make([]float64, d*d), make([]float64, d*d)}
		s.basis = make([]lane, (d+3)/4*4*m)
		s.roots = make([][]lane, dualLimit(d)+1)
	}
	a, vectors := s.squares[0], s.squares[1]
	for i, v := range g {
		a[i] = float64(v)
	}
	values, ok := eigen(s.kernels, a, vectors, d)
	if !ok {
		return false
	}
	for i := range d {
		values[i] = max(values[i], 0) // rounding made it negative
		*s.base.at(i, i) = float32(values[i])
		for j := range d {
			s.basis[i*m+j/16][j%16] = float32(vectors[i*d+j])
		}
	}
	s.roots = s.roots[:dualLimit(d)+1]
	done := make([]bool, len(s.roots))
	for r := range s.matrix.Rows {
		k := s.matrix.Start[r+1] - s.matrix.Start[r]
		if k >= len(s.roots) || done[k] {
			continue
		}
		done[k] = true
		root, ridge := s.roots[k], s.ridge(k)
		if root == nil {
			root = make([]lane, m)
		}
		for j, v := range values {
			root[j/16][j%16] = float32(1 / math.Sqrt(v+ridge))
		}
		s.roots[k] = root
	}
	return true
}

func (s *sweep) ridge(cells int) float64 {
	return Regularisation(s.cfg.Lambda, s.cfg.Alpha0, s.cfg.Nu, cells, s.matrix.Cols)
}

// transposedBasis turns eigenbasis coordinates back.
func (s *sweep) transposedBasis() []lane {
	d, m := s.cfg.Dim, lanes(s.cfg.Dim)
	t := make([]lane, len(s.basis))
	for i := range d {
		for j := range d {
			t[j*m+i/16][i%16] = s.basis[i*m+j/16][j%16]
		}
	}
	return t
}

// rotate replaces each vector by its inner products with the rows of basis.
func (s *sweep) rotate(vectors []float32, basis []lane) {
	const block = 16 // basis rows that stay in the first-level cache while a task's vectors pass
	d, m, k := s.cfg.Dim, lanes(s.cfg.Dim), s.kernels
	n := len(vectors) / d
	rows := len(basis) / m
	parallel.Tasks(s.cfg.Threads, (n+rowsPerTask-1)/rowsPerTask, func(worker, task int) {
		both := s.byThread[worker].vectors
		in, out := both[:rowsPerTask*m], both[rowsPerTask*m:2*rowsPerTask*m]
		lo := task * rowsPerTask
		count := min(rowsPerTask, n-lo)
		for r := range count {
			k.scale(in[r*m:], 1, vectors[(lo+r)*d:(lo+r+1)*d], nil, 1)
		}
		for from := 0; from < rows; from += block {
			for r := 0; r < count; r += 2 {
				k.dots(out, layout{row: m, panel: 1}, r, in[r*m:(r+2)*m], basis, m, from, min(from+block, rows))
			}
		}
		for r := range count {
			for l := range m {
				copy(vectors[(lo+r)*d+16*l:(lo+r+1)*d], out[r*m+l][:])
			}
		}
	})
}

// run solves every row. fixed must be in s.basis, if there is one, and out then is too.
func (s *sweep) run(ctx context.Context, fixed, out []float32) error {
	d, m := s.cfg.Dim, s.matrix
	for i := range s.byThread {
		s.byThread[i].rows.fixed = fixed
	}
	var failed atomic.Int64 // 1 + a row that has no solution
	parallel.Tasks(s.cfg.Threads, (m.Rows+rowsPerTask-1)/rowsPerTask, func(worker, task int) {
		if ctx.Err() != nil || failed.Load() > 0 {
			return
		}
		for r := task * rowsPerTask; r < min((task+1)*rowsPerTask, m.Rows); r++ {
			cols, weights := m.Row(r)
			if !s.byThread[worker].rows.solve(cols, weights, out[r*d:(r+1)*d]) {
				failed.Store(int64(r) + 1)
				return
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if r := failed.Load(); r > 0 {
		return fmt.Errorf("solve row %d with lambda %g: %w", r-1, s.cfg.Lambda, ErrSingular)
	}
	return nil
}
