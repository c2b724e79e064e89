package ials

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	// gramBlocks is how many partial sums a Gram matrix is added up from. Fixed, so that the order of additions, and with it
	// every bit of the result, does not depend on the number of threads. More would only cost memory (64 KB each at d = 128).
	gramBlocks = 32
	// rowsPerTask is how many rows a thread takes at once: few enough to balance long rows, enough to make the counter cheap.
	rowsPerTask = 32
	// maxBoosts is how often a row's diagonal is raised (each time tenfold from boostStart of its largest value) when float32
	// rounding ate a pivot. It happens only when regularisation is tiny next to the data.
	maxBoosts  = 4
	boostStart = 1e-6
	// negligible components become zero. A model that is regularised to death shrinks towards zero for ever, and arithmetic on
	// denormal numbers is ten times slower than on zeros.
	negligible = 1e-18
)

// Gram is Σ v·vᵀ over the rows of the row-major matrix, as a full d × d matrix.
func Gram(vectors []float32, d, threads int) []float32 {
	n := len(vectors) / d
	size := (n + gramBlocks - 1) / gramBlocks
	partial := make([][]float32, gramBlocks)
	parallel(threads, gramBlocks, func(_, b int) {
		lo, hi := min(b*size, n), min((b+1)*size, n)
		sum := make([]float32, d*d)
		rows, ones := make([][]float32, 0, hi-lo), make([]float32, hi-lo)
		for r := lo; r < hi; r++ {
			rows = append(rows, vectors[r*d:(r+1)*d])
			ones[r-lo] = 1
		}
		addOuter(sum, d, rows, ones)
		partial[b] = sum
	})
	gram := partial[0]
	for _, p := range partial[1:] {
		axpy(1, p, gram)
	}
	for i := range d {
		for j := range i {
			gram[j*d+i] = gram[i*d+j]
		}
	}
	return gram
}

// Solve sets each row of out to the exact solution of its normal equations against the fixed other side:
// (α0·G + Σ c·v·vᵀ + λ_r·I)·w = Σ c·v, v being the vectors of the row's columns. Rows without cells become zero.
func Solve(ctx context.Context, m *Matrix, fixed, out []float32, cfg Config) error {
	d := cfg.Dim
	base := Gram(fixed, d, cfg.Threads)
	for i := range base {
		base[i] *= float32(cfg.Alpha0)
	}
	workers := make([]*rowSolver, max(cfg.Threads, 1))
	tasks := (m.Rows + rowsPerTask - 1) / rowsPerTask
	var failed atomic.Int64 // 1 + a row that has no solution
	parallel(cfg.Threads, tasks, func(worker, task int) {
		if ctx.Err() != nil || failed.Load() > 0 {
			return
		}
		if workers[worker] == nil {
			workers[worker] = &rowSolver{d: d, base: base, a: make([]float32, d*d), b: make([]float32, d)}
		}
		for r := task * rowsPerTask; r < min((task+1)*rowsPerTask, m.Rows); r++ {
			cols, weights := m.Row(r)
			ridge := Regularisation(cfg.Lambda, cfg.Alpha0, cfg.Nu, len(cols), m.Cols)
			if !workers[worker].solve(fixed, cols, weights, float32(ridge), out[r*d:(r+1)*d]) {
				failed.Store(int64(r) + 1)
				return
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if r := failed.Load(); r > 0 {
		return fmt.Errorf("solve row %d with lambda %g: %w", r-1, cfg.Lambda, ErrSingular)
	}
	return nil
}

// rowSolver is one thread's scratch space.
type rowSolver struct {
	d    int
	base []float32 // α0·G, shared, read only
	a, b []float32
	rows [][]float32
}

func (s *rowSolver) solve(fixed []float32, cols []int32, weights []float32, ridge float32, out []float32) bool {
	d := s.d
	clear(out)
	if len(cols) == 0 {
		return true
	}
	s.rows = s.rows[:0]
	for _, c := range cols {
		s.rows = append(s.rows, fixed[int(c)*d:(int(c)+1)*d])
	}
	for boost := range maxBoosts {
		copy(s.a, s.base)
		addOuter(s.a, d, s.rows, weights)
		if boost > 0 {
			var largest float32
			for i := range d {
				largest = max(largest, s.a[i*d+i])
			}
			step := float32(boostStart)
			for range boost - 1 {
				step *= 10
			}
			ridge += step * largest
		}
		for i := range d {
			s.a[i*d+i] += ridge
		}
		if !factor(s.a, d) {
			continue
		}
		clear(s.b)
		for i, row := range s.rows {
			axpy(weights[i], row, s.b)
		}
		solve(s.a, d, s.b)
		if finite32(s.b) {
			for i, x := range s.b {
				if x > negligible || x < -negligible {
					out[i] = x
				}
			}
			return true
		}
	}
	return false
}

// addOuter adds Σ w·v·vᵀ to the lower triangle of a, four vectors at a time: a is read and written once for four.
func addOuter(a []float32, d int, rows [][]float32, w []float32) {
	n := len(rows)
	i := 0
	for ; i+4 <= n; i += 4 {
		v0, v1, v2, v3 := rows[i][:d], rows[i+1][:d], rows[i+2][:d], rows[i+3][:d]
		w0, w1, w2, w3 := w[i], w[i+1], w[i+2], w[i+3]
		for r := range d {
			f0, f1, f2, f3 := w0*v0[r], w1*v1[r], w2*v2[r], w3*v3[r]
			row := a[r*d : r*d+r+1]
			x0, x1, x2, x3 := v0[:len(row)], v1[:len(row)], v2[:len(row)], v3[:len(row)]
			for j := range row {
				row[j] += (f0*x0[j] + f1*x1[j]) + (f2*x2[j] + f3*x3[j])
			}
		}
	}
	for ; i < n; i++ {
		v := rows[i]
		for r := range d {
			axpy(w[i]*v[r], v[:r+1], a[r*d:r*d+r+1])
		}
	}
}

// parallel calls work(worker, task) for every task, at most threads at a time; worker < max(threads, 1) names the thread.
func parallel(threads, tasks int, work func(worker, task int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range max(threads, 1) {
		group.Go(func() {
			for {
				task := int(next.Add(1)) - 1
				if task >= tasks {
					return
				}
				work(worker, task)
			}
		})
	}
	group.Wait()
}
