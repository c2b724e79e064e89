package ials

import (
	"math"

	"kindred/internal/model/modelversion"
)

// maxSweeps bounds the iterations for one eigenvalue. Two are usual.
const maxSweeps = 50

// eigen decomposes the symmetric d × d matrix a, which it overwrites: row i of the row-major
// vectors becomes the unit eigenvector of values[i]. Householder tridiagonalisation, then the
// implicit QL method; every inner loop runs along rows. False when it does not converge, which only
// values that are not finite cause.
func eigen(k *kernels, a, vectors []float64, d int) (values []float64, ok bool) {
	values, off := make([]float64, d), make([]float64, d)
	clear(vectors)
	scale := make([]float64, d) // 2/⟨u,u⟩ of each reflection
	p := make([]float64, d)
	// reflection i makes row i tridiagonal; its vector u replaces the row's first i components
	for i := d - 1; i > 0; i-- {
		u := a[i*d : i*d+i]
		values[i] = a[i*d+i]
		norm := math.Sqrt(k.dot64(u, u))
		if i == 1 || norm == 0 {
			off[i] = u[i-1]
			clear(u)
			continue
		}
		if u[i-1] > 0 {
			norm = -norm
		}
		off[i] = norm
		u[i-1] -= norm
		scale[i] = 2 / k.dot64(u, u)
		p := p[:i]
		for r := range p {
			p[r] = scale[i] * k.dot64(a[r*d:r*d+i], u)
		}
		k.axpy64(-scale[i]/2*k.dot64(p, u), u, p)
		for r, v := range p { // A −= u·pᵀ + p·uᵀ
			k.axpy64(-u[r], p, a[r*d:r*d+i])
			k.axpy64(-v, u, a[r*d:r*d+i])
		}
	}
	values[0] = a[0]
	for i := range d {
		vectors[i*d+i] = 1
		if scale[i] == 0 {
			continue
		}
		u := a[i*d : i*d+i]
		for r := range i {
			row := vectors[r*d : r*d+i]
			if g := k.dot64(row, u); g != 0 {
				k.axpy64(-scale[i]*g, u, row)
			}
		}
	}
	return values, diagonalise(k, values, off, vectors, d)
}

// diagonalise is the QL method with implicit shifts (EISPACK's tql2) on a tridiagonal matrix;
// off[i] lies left of values[i].
func diagonalise(k *kernels, values, off, vectors []float64, d int) bool {
	copy(off, off[1:])
	off[d-1] = 0
	var shift, size float64
	for l := range d {
		size = max(size, math.Abs(values[l])+math.Abs(off[l]))
		m := l
		for m < d-1 && !(math.Abs(off[m]) <= 0x1p-52*size) {
			m++
		}
		for sweep := 0; m > l; sweep++ {
			if sweep == maxSweeps {
				return false
			}
			g := values[l]
			p := (values[l+1] - g) / (2 * off[l])
			r := math.Hypot(p, 1)
			if p < 0 {
				r = -r
			}
			values[l] = off[l] / (p + r)
			values[l+1] = off[l] * (p + r)
			next := values[l+1]
			h := g - values[l]
			for i := l + 2; i < d; i++ {
				values[i] -= h
			}
			shift += h
			p = values[m]
			c, c2, c3, s, s2 := 1.0, 1.0, 1.0, 0.0, 0.0
			first := off[l+1]
			for i := m - 1; i >= l; i-- {
				c3, c2, s2 = c2, c, s
				g, h = c*off[i], c*p
				r = math.Hypot(p, off[i])
				off[i+1] = s * r
				s, c = off[i]/r, p/r
				p = c*values[i] - s*g
				values[i+1] = h + s*(c*g+s*values[i])
				k.rotate64(c, s, vectors[i*d:(i+1)*d], vectors[(i+1)*d:(i+2)*d])
			}
			p = -s * s2 * c3 * first * off[l] / next
			off[l], values[l] = s*p, c*p
			if math.Abs(off[l]) <= 0x1p-52*size {
				break
			}
		}
		values[l] += shift
		off[l] = 0
	}
	return modelversion.Finite(values...)
}
