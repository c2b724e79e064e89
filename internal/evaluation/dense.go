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

// Products fills scores with the inner products of every user's vector with every item's; both are row-major, d wide.
func Products(users, items []float32, d int, scores []float32) {
	n, m := len(users)/d, len(items)/d
	u := 0
	for ; u+4 <= n; u += 4 {
		u0, u1, u2, u3 := users[u*d:(u+1)*d], users[(u+1)*d:(u+2)*d], users[(u+2)*d:(u+3)*d], users[(u+3)*d:(u+4)*d]
		for i := range m {
			v := items[i*d : (i+1)*d]
			w0, w1, w2, w3 := u0[:len(v)], u1[:len(v)], u2[:len(v)], u3[:len(v)]
			var s0, s1, s2, s3 float32
			for k, x := range v {
				s0 += x * w0[k]
				s1 += x * w1[k]
				s2 += x * w2[k]
				s3 += x * w3[k]
			}
			scores[u*m+i], scores[(u+1)*m+i], scores[(u+2)*m+i], scores[(u+3)*m+i] = s0, s1, s2, s3
		}
	}
	for ; u < n; u++ {
		own := users[u*d : (u+1)*d]
		for i := range m {
			v := items[i*d : (i+1)*d][:len(own)]
			var s0, s1 float32
			k := 0
			for ; k+1 < len(own); k += 2 {
				s0 += own[k] * v[k]
				s1 += own[k+1] * v[k+1]
			}
			if k < len(own) {
				s0 += own[k] * v[k]
			}
			scores[u*m+i] = s0 + s1
		}
	}
}
