package ials

import "math"

// triangle holds a symmetric matrix of n rows, and then its factor U, A = Uᵀ·U, by panels of 16
// columns: lane q·stride+i is row i of panel q. Only the part right of the diagonal counts. Rows
// between n and a multiple of 4 are rows of the unit matrix.
type triangle struct {
	n, stride, panels int
	u                 []lane
	inverse           []float32 // 1 / U[i][i]
	l, sums           lane      // scratch
}

// resize makes room for n rows, all zero.
func (t *triangle) resize(n int) {
	t.reserve(n)
	clear(t.u)
}

// copy makes t the same matrix as from.
func (t *triangle) copy(from *triangle) {
	t.reserve(from.n)
	copy(t.u, from.u)
}

func (t *triangle) reserve(n int) {
	t.n, t.panels = n, lanes(n)
	t.stride = 16 * t.panels
	if size := t.stride * t.panels; cap(t.u) < size {
		t.u, t.inverse = make([]lane, size), make([]float32, t.stride)
	}
	t.u, t.inverse = t.u[:t.stride*t.panels], t.inverse[:t.stride]
}

func (t *triangle) at(i, j int) *float32 { return &t.u[j/16*t.stride+i][j%16] }

// gram adds Σ v·vᵀ over rows that lie in panels: v[q·stride+p] is panel q of row p, for p < count.
func (t *triangle) gram(k *kernels, v []lane, stride, count int) {
	for i := 0; i < t.n; i += 4 {
		own := i / 16
		a := v[own*stride : own*stride+count]
		q := own
		for ; q+1 < t.panels; q += 2 {
			k.tile2(t.u[q*t.stride+i:], t.u[(q+1)*t.stride+i:], a, i%16, v[q*stride:], v[(q+1)*stride:], false)
		}
		if q < t.panels {
			k.tile(t.u[q*t.stride+i:], a, i%16, v[q*stride:], false)
		}
	}
}

// factor turns the matrix into U, four rows at a time: what the rows above contribute, the 4 × 4
// corner by hand, then the four rows times its inverse. False when a pivot is not positive; the
// matrix is then spoilt.
func (t *triangle) factor(k *kernels) bool {
	for i := t.n; i%4 != 0; i++ {
		*t.at(i, i) = 1
	}
	for i := 0; i < t.n; i += 4 {
		own, o := i/16, i%16
		if i > 0 {
			a := t.u[own*t.stride : own*t.stride+i]
			q := own
			for ; q+1 < t.panels; q += 2 {
				k.tile2(t.u[q*t.stride+i:], t.u[(q+1)*t.stride+i:], a, o, t.u[q*t.stride:], t.u[(q+1)*t.stride:], true)
			}
			if q < t.panels {
				k.tile(t.u[q*t.stride+i:], a, o, t.u[q*t.stride:], true)
			}
		}
		if !t.corner(t.u[own*t.stride+i:own*t.stride+i+4], o, t.inverse[i:i+4]) {
			return false
		}
		k.finish(t.u[own*t.stride+i:], t.stride, t.panels-own, &t.l)
		for r := range 4 {
			clear(t.u[own*t.stride+i+r][:o+r])
		}
	}
	return true
}

// corner factors the 4 × 4 block at columns o of four rows and leaves the inverse of its factor in t.l.
func (t *triangle) corner(rows []lane, o int, inverse []float32) bool {
	var u [4][4]float64 // in double: sixteen numbers cost nothing, and a pivot that rounding ate is a row lost
	for r := range 4 {
		for c := r; c < 4; c++ {
			x := float64(rows[r][o+c])
			for s := range r {
				x -= u[s][r] * u[s][c]
			}
			if c > r {
				u[r][c] = x / u[r][r]
				continue
			}
			if !(x > 0) || x > math.MaxFloat32 { // the negation catches NaN
				return false
			}
			u[r][r] = math.Sqrt(x)
			inverse[r] = float32(1 / u[r][r])
		}
	}
	for c := range 4 { // column c of L⁻¹, L = uᵀ
		var x [4]float64
		for r := c; r < 4; r++ {
			var s float64
			if r == c {
				s = 1
			}
			for p := c; p < r; p++ {
				s -= u[p][r] * x[p]
			}
			x[r] = s / u[r][r]
			t.l[4*r+c] = float32(x[r])
		}
	}
	return true
}

// solve overwrites b with x of UᵀU·x = b. b has t.panels lanes.
func (t *triangle) solve(k *kernels, b []lane) {
	for q := range t.panels { // Uᵀ·y = b
		y, rows := &b[q], t.u[q*t.stride+16*q:q*t.stride+16*q+16]
		count := min(16, t.n-16*q)
		for p := range count {
			v := y[p] * t.inverse[16*q+p]
			y[p] = v
			row := &rows[p]
			for j := p + 1; j < count; j++ {
				y[j] -= v * row[j]
			}
		}
		clear(y[count:])
		for j, v := range y {
			t.sums[j] = -v
		}
		for r := q + 1; r < t.panels; r++ {
			k.combine(b[r:r+1], t.u[r*t.stride+16*q:r*t.stride+16*q+16], t.sums[:])
		}
	}
	for q := t.panels - 1; q >= 0; q-- { // U·x = y
		x := &b[q]
		for r := q + 1; r < t.panels; r++ {
			k.columns(&t.sums, t.u[r*t.stride+16*q:], &b[r])
			for j, v := range &t.sums {
				x[j] -= v
			}
		}
		rows := t.u[q*t.stride+16*q : q*t.stride+16*q+16]
		for p := min(16, t.n-16*q) - 1; p >= 0; p-- {
			v := x[p] * t.inverse[16*q+p]
			x[p] = v
			for j := range p {
				x[j] -= v * rows[j][p]
			}
		}
	}
}
