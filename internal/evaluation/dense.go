package evaluation

import (
	"math"
	"sync"
	"sync/atomic"
)

// parallel calls work for 0 … n-1, at most threads at once.
func parallel(threads, n int, work func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(threads, 1) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	group.Wait()
}

func dot(x, y []float64) float64 {
	var s0, s1, s2, s3 float64
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

func axpy(f float64, x, y []float64) {
	y = y[:len(x)]
	for i := range x {
		y[i] += f * x[i]
	}
}

// invert replaces the symmetric positive definite a (rows, all of equal length) by its inverse. It reports false when a is not
// positive definite.
func invert(a [][]float64, threads int) bool {
	n := len(a)
	const block = 64
	for start := 0; start < n; start += block { // a = L·Lᵀ, L in the lower triangle, a block of columns after the other
		end := min(start+block, n)
		for i := start; i < end; i++ {
			for j := start; j <= i; j++ {
				s := a[i][j] - dot(a[i][start:j], a[j][start:j])
				switch {
				case i > j:
					a[i][j] = s / a[j][j]
				case !(s > 0):
					return false
				default:
					a[i][i] = math.Sqrt(s)
				}
			}
		}
		parallel(threads, n-end, func(k int) {
			i := end + k
			for j := start; j < end; j++ {
				a[i][j] = (a[i][j] - dot(a[i][start:j], a[j][start:j])) / a[j][j]
			}
		})
		parallel(threads, n-end, func(k int) {
			i := n - 1 - k // long rows first
			for j := end; j <= i; j++ {
				a[i][j] -= dot(a[i][start:end], a[j][start:end])
			}
		})
	}
	// Column j of L⁻¹ is kept in row j, from place j on: (L⁻¹)ᵀ in the upper triangle of u.
	u := make([][]float64, n)
	parallel(threads, n, func(j int) {
		x := make([]float64, n)
		x[j] = 1 / a[j][j]
		for i := j + 1; i < n; i++ {
			x[i] = -dot(a[i][j:i], x[j:i]) / a[i][i]
		}
		u[j] = x
	})
	parallel(threads, n, func(i int) { // a⁻¹ = (L⁻¹)ᵀ·L⁻¹
		for j := range i + 1 {
			a[i][j] = dot(u[i][i:], u[j][i:])
		}
	})
	for i := range n {
		for j := range i {
			a[j][i] = a[i][j]
		}
	}
	return true
}
