package ials

import "math"

// number is the precision of a solve: float32 in training, float64 in serving, where one solve
// costs microseconds and the decomposition into contributions should add up to the last digit.
type number interface{ float32 | float64 }

// factor overwrites the lower triangle of the row-major d × d matrix a with its Cholesky factor L,
// a = L·Lᵀ. It neither reads nor writes above the diagonal. It reports false if a pivot is not
// positive; the content of a is then undefined.
func factor[T number](a []T, d int) bool {
	for i := range d {
		row := a[i*d : i*d+i+1]
		for j := range i {
			row[j] = (row[j] - dot(row[:j], a[j*d:j*d+j])) / a[j*d+j]
		}
		pivot := float64(row[i] - dot(row[:i], row[:i]))
		if !(pivot > 0) || math.IsInf(pivot, 1) { // the negation catches NaN
			return false
		}
		row[i] = T(math.Sqrt(pivot))
	}
	return true
}

// solve overwrites b with the solution of L·Lᵀ·x = b for a factor of size d.
func solve[T number](l []T, d int, b []T) {
	for i := range d {
		row := l[i*d : i*d+i+1]
		b[i] = (b[i] - dot(row[:i], b[:i])) / row[i]
	}
	for i := d - 1; i >= 0; i-- { // by columns of Lᵀ, which are rows of L: no strided reads
		row := l[i*d : i*d+i+1]
		x := b[i] / row[i]
		b[i] = x
		axpy(-x, row[:i], b[:i])
	}
}

// solveRows overwrites the n × d matrix b with the solution of L·Lᵀ·X = B for a factor of size n.
func solveRows(l []float64, n int, b []float64, d int) {
	for i := range n {
		row := b[i*d : (i+1)*d]
		for j := range i {
			axpy(-l[i*n+j], b[j*d:(j+1)*d], row)
		}
		for c := range row {
			row[c] /= l[i*n+i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		row := b[i*d : (i+1)*d]
		for c := range row {
			row[c] /= l[i*n+i]
		}
		for j := range i {
			axpy(-l[i*n+j], row, b[j*d:(j+1)*d])
		}
	}
}

// inner is ⟨x, y⟩ over len(x) components in double precision, summed in four lanes.
func inner(x []float64, y []float32) float64 {
	var s0, s1, s2, s3 float64
	y = y[:len(x)]
	for len(x) >= 4 && len(y) >= 4 {
		s0 += x[0] * float64(y[0])
		s1 += x[1] * float64(y[1])
		s2 += x[2] * float64(y[2])
		s3 += x[3] * float64(y[3])
		x, y = x[4:], y[4:]
	}
	for i := range x {
		s0 += x[i] * float64(y[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// dot is ⟨x, y⟩ over len(x) components, summed in four lanes.
func dot[T number](x, y []T) T {
	var s0, s1, s2, s3 T
	y = y[:len(x)]
	for len(x) >= 4 && len(y) >= 4 {
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		x, y = x[4:], y[4:]
	}
	for i := range x {
		s0 += x[i] * y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy adds f·x to y.
func axpy[T number](f T, x, y []T) {
	y = y[:len(x)]
	for i := range x {
		y[i] += f * x[i]
	}
}
