package ials

import "math"

// rowSolver is one thread's scratch space.
type rowSolver struct {
	*sweep
	fixed   []float32
	normal  triangle // the equations: d × d or k × k
	vectors []lane   // a chunk of the row's vectors in panels, or all of a short row's by rows
	factors []float32
	b, x    []lane
}

// solve sets out to the row's solution. False when there is none that float32 could hold.
func (s *rowSolver) solve(cols []int32, weights, out []float32) bool {
	if len(cols) == 0 {
		clear(out)
		return true
	}
	if len(cols) < len(s.roots) && s.solveShort(cols, weights, s.roots[len(cols)], out) {
		return true
	}
	return s.solveLong(cols, weights, out)
}

// solveShort solves k × k equations.
func (s *rowSolver) solveShort(cols []int32, weights []float32, root []lane, out []float32) bool {
	d, m, n := s.cfg.Dim, lanes(s.cfg.Dim), len(cols)
	padded := (n + 3) / 4 * 4
	rows := s.vectors[:padded*m]
	s.factors = s.factors[:0]
	for p, c := range cols {
		f := sqrt(weights[p])
		s.factors = append(s.factors, f)
		s.kernels.scale(rows[p*m:], 1, s.fixed[int(c)*d:(int(c)+1)*d], root, f)
	}
	clear(rows[n*m:])
	t := &s.normal
	t.resize(n)
	for i := 0; i < n; i += 2 {
		s.kernels.dots(t.u, layout{row: 1, panel: t.stride}, i, rows[i*m:(i+2)*m], rows, m, i&^3, padded)
	}
	for i := range n {
		*t.at(i, i)++
	}
	if !t.factor(s.kernels) {
		return false
	}
	b := s.b[:t.panels]
	s.kernels.scale(b, 1, s.factors, nil, 1)
	t.solve(s.kernels, b)
	for p := range s.factors {
		s.factors[p] = b[p/16][p%16]
	}
	clear(s.x)
	s.kernels.combine(s.x, rows[:n*m], s.factors)
	return s.kernels.settle(out, s.x, root)
}

// solveLong solves d × d equations.
func (s *rowSolver) solveLong(cols []int32, weights, out []float32) bool {
	d, t := s.cfg.Dim, &s.normal
	ridge := float32(s.ridge(len(cols)))
	for boost := range maxBoosts {
		t.copy(&s.base)
		clear(s.b)
		for lo := 0; lo < len(cols); lo += chunk {
			s.accumulate(cols[lo:min(lo+chunk, len(cols))], weights[lo:min(lo+chunk, len(cols))])
		}
		if boost > 0 {
			var largest float32
			for i := range d {
				largest = max(largest, *t.at(i, i))
			}
			step := float32(boostStart)
			for range boost - 1 {
				step *= 10
			}
			ridge += step * largest
		}
		for i := range d {
			*t.at(i, i) += ridge
		}
		if !t.factor(s.kernels) {
			continue
		}
		t.solve(s.kernels, s.b)
		if s.kernels.settle(out, s.b, nil) {
			return true
		}
	}
	return false
}

// accumulate adds some cells to both sides of the d × d equations.
func (s *rowSolver) accumulate(cols []int32, weights []float32) {
	d, n := s.cfg.Dim, len(cols)
	s.factors = s.factors[:0]
	for p, c := range cols {
		f := sqrt(weights[p])
		s.factors = append(s.factors, f)
		s.kernels.scale(s.vectors[p:], chunk, s.fixed[int(c)*d:(int(c)+1)*d], nil, f)
	}
	s.normal.gram(s.kernels, s.vectors, chunk, n)
	for q := range s.b {
		s.kernels.combine(s.b[q:q+1], s.vectors[q*chunk:q*chunk+n], s.factors)
	}
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
