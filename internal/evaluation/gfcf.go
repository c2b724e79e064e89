package evaluation

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"kindred/internal/ials"
)

const (
	// gfcfDim and gfcfWeight are GF-CF's published rank of the ideal low-pass filter and its weight.
	gfcfDim    = 256
	gfcfWeight = 0.3
	// The subspace iteration: so many more vectors than asked for, so many rounds of a Chebyshev filter of at most such a degree, and
	// lower where it would favour the largest eigenvector so much that rounding drowns the small ones.
	spareVectors  = 64
	filterRounds  = 7
	filterDegree  = 8
	largestFavour = 1e10
	jacobiSweeps  = 12
	jacobiStop    = 1e-11
	subspaceSeed  = 256
	smallestWidth = 1e-12
)

// GFCF is graph filtering (Shen et al. 2021, https://arxiv.org/abs/2108.07567) exactly as published: the linear filter R̃ᵀR̃ plus 0.3
// times the ideal low-pass filter of rank 256 between degree normalisations, R̃ = D_u^-½·R·D_i^-½. Nothing is trained or tuned.
func GFCF(ctx context.Context, likes *Pairs, threads int) (Block, error) {
	return graphFilter(ctx, likes, gfcfDim, threads)
}

// GFCFMemory is how many bytes GFCF takes at its peak, besides the pairs: three bases of the smaller side and two matrices of the products.
func GFCFMemory(customers, products int) int64 {
	return 3*8*(gfcfDim+spareVectors)*int64(min(customers, products)) + (2*4+8)*gfcfDim*int64(products)
}

func graphFilter(ctx context.Context, likes *Pairs, dim, threads int) (Block, error) {
	r := newNormalised(likes)
	v, err := r.rightVectors(ctx, min(dim, len(likes.Of)-1, likes.Products-1), threads)
	if err != nil {
		return nil, err
	}
	d := len(v)
	left, right := make([]float32, likes.Products*d), make([]float32, likes.Products*d)
	for j := range likes.Products {
		for k := range v {
			left[j*d+k] = float32(v[k][j] * r.scaleItem[j])
			if s := r.scaleItem[j]; s > 0 {
				right[j*d+k] = float32(v[k][j] / s)
			}
		}
	}
	return func(customers []int32, scores []float32) {
		vectors := make([]float32, len(customers)*d)
		for i, c := range customers {
			own := vectors[i*d : (i+1)*d]
			for _, j := range likes.Of[c] {
				for k, x := range left[int(j)*d : (int(j)+1)*d] {
					own[k] += gfcfWeight * x
				}
			}
		}
		if d > 0 {
			ials.Scores(vectors, right, d, scores)
		} else {
			clear(scores)
		}
		y, z := make([]float64, len(likes.Of)), make([]float64, likes.Products)
		for i, c := range customers {
			clear(y)
			for _, j := range likes.Of[c] { // R̃·x where it is not zero
				for _, u := range r.columns.Of[j] {
					y[u] += r.scaleItem[j] * r.scaleUser[u]
				}
			}
			r.transposedTimes(y, z)
			own := scores[i*likes.Products : (i+1)*likes.Products]
			for j, s := range z {
				own[j] += float32(s)
			}
		}
	}, nil
}

// normalised is R̃.
type normalised struct {
	likes                *Pairs
	columns              *Pairs
	scaleUser, scaleItem []float64
}

func newNormalised(likes *Pairs) *normalised {
	scales := func(rows [][]int32) []float64 {
		s := make([]float64, len(rows))
		for i, own := range rows {
			if len(own) > 0 {
				s[i] = 1 / math.Sqrt(float64(len(own)))
			}
		}
		return s
	}
	columns := likes.Transposed()
	return &normalised{likes, columns, scales(likes.Of), scales(columns.Of)}
}

// times sets y to R̃·x.
func (r *normalised) times(x, y []float64) {
	for u, own := range r.likes.Of {
		var s float64
		for _, j := range own {
			s += x[j] * r.scaleItem[j]
		}
		y[u] = s * r.scaleUser[u]
	}
}

// transposedTimes sets y to R̃ᵀ·x.
func (r *normalised) transposedTimes(x, y []float64) {
	clear(y)
	for u, own := range r.likes.Of {
		f := x[u] * r.scaleUser[u]
		if f == 0 {
			continue
		}
		for _, j := range own {
			y[j] += f * r.scaleItem[j]
		}
	}
}

// rightVectors is the k leading right singular vectors, by Chebyshev-filtered subspace iteration on the smaller side's Gram matrix.
func (r *normalised) rightVectors(ctx context.Context, k, threads int) ([][]float64, error) {
	if k <= 0 {
		return nil, nil
	}
	first, second, n, m := r.times, r.transposedTimes, r.likes.Products, len(r.likes.Of)
	if onUsers := m < n; onUsers {
		first, second, n, m = r.transposedTimes, r.times, m, n
	}
	apply := func(x, y []float64) { // the Gram matrix
		t := make([]float64, m)
		first(x, t)
		second(t, y)
	}
	width := min(k+spareVectors, n)
	rng := rand.New(rand.NewPCG(subspaceSeed, subspaceSeed))
	basis := make([][]float64, width)
	for i := range basis {
		basis[i] = make([]float64, n)
		for j := range basis[i] {
			basis[i][j] = rng.NormFloat64()
		}
	}
	cut, degree := 0.0, 0 // eigenvalues below cut are damped; the first round is a plain power
	for range filterRounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		parallel(threads, width, func(i int) { basis[i] = filtered(apply, basis[i], cut, degree) })
		orthonormalise(basis, threads)
		values := rotate(apply, basis, threads)
		cut = max(values[width-1], smallestWidth)
		degree = max(1, min(filterDegree, int(math.Acosh(largestFavour)/math.Acosh(max(2*values[0]/cut-1, 1+smallestWidth)))))
	}
	basis = basis[:k]
	if n == r.likes.Products {
		return basis, nil
	}
	right := make([][]float64, k)
	parallel(threads, k, func(i int) {
		right[i] = make([]float64, r.likes.Products)
		r.transposedTimes(basis[i], right[i])
		if norm := math.Sqrt(dot(right[i], right[i])); norm > 0 {
			for j := range right[i] {
				right[i][j] /= norm
			}
		}
	})
	return right, nil
}

// filtered is T(A)·x for the Chebyshev polynomial that is small on [0, cut] and grows fast above; with cut = 0 it is A²·x.
func filtered(apply func(x, y []float64), x []float64, cut float64, degree int) []float64 {
	n := len(x)
	next := make([]float64, n)
	if cut == 0 {
		apply(x, next)
		apply(next, x)
		return x
	}
	half := cut / 2
	before, now := x, make([]float64, n)
	apply(before, now)
	for i := range now {
		now[i] = now[i]/half - before[i]
	}
	for range degree - 1 {
		apply(now, next)
		for i := range next {
			next[i] = 2*(next[i]/half-now[i]) - before[i]
		}
		before, now, next = now, next, before
	}
	return now
}

// orthonormalise is Gram and Schmidt's way, twice for rounding.
func orthonormalise(basis [][]float64, threads int) {
	for i, b := range basis {
		for range 2 {
			c := make([]float64, i)
			if i >= 16 {
				parallel(threads, i, func(j int) { c[j] = dot(basis[j], b) })
			} else {
				for j := range i {
					c[j] = dot(basis[j], b)
				}
			}
			for j := range i {
				axpy(-c[j], basis[j], b)
			}
			norm := math.Sqrt(dot(b, b))
			if norm == 0 {
				norm = 1
			}
			for j := range b {
				b[j] /= norm
			}
		}
	}
}

// rotate turns the orthonormal basis to the approximate eigenvectors within its span, largest eigenvalue first.
func rotate(apply func(x, y []float64), basis [][]float64, threads int) (values []float64) {
	width, n := len(basis), len(basis[0])
	image, h := make([][]float64, width), make([][]float64, width)
	parallel(threads, width, func(i int) {
		image[i] = make([]float64, n)
		apply(basis[i], image[i])
	})
	parallel(threads, width, func(i int) {
		h[i] = make([]float64, width)
		for j := range width {
			h[i][j] = dot(basis[min(i, j)], image[max(i, j)])
		}
	})
	values, vectors := eigen(h)
	parallel(threads, width, func(i int) {
		clear(image[i])
		for j, x := range vectors[i] {
			axpy(x, basis[j], image[i])
		}
	})
	copy(basis, image)
	return values
}

// eigen is the eigenvalues of the symmetric h, largest first, and its eigenvectors as rows, by cyclic Jacobi rotations. h is spoilt.
func eigen(h [][]float64) (values []float64, vectors [][]float64) {
	n := len(h)
	v := make([][]float64, n)
	for i := range v {
		v[i] = make([]float64, n)
		v[i][i] = 1
	}
	for range jacobiSweeps {
		var off, all float64
		for i := range n {
			for j := range i {
				off += h[i][j] * h[i][j]
			}
			all += h[i][i] * h[i][i]
		}
		if off <= jacobiStop*jacobiStop*all {
			break
		}
		for p := range n {
			for q := p + 1; q < n; q++ {
				if math.Abs(h[p][q]) <= 1e-300 {
					continue
				}
				theta := (h[q][q] - h[p][p]) / (2 * h[p][q])
				t := math.Copysign(1, theta) / (math.Abs(theta) + math.Sqrt(theta*theta+1))
				c := 1 / math.Sqrt(t*t+1)
				s := t * c
				for i := range n {
					x, y := h[i][p], h[i][q]
					h[i][p], h[i][q] = c*x-s*y, s*x+c*y
				}
				hp, hq, vp, vq := h[p], h[q], v[p], v[q]
				for i := range n {
					x, y := hp[i], hq[i]
					hp[i], hq[i] = c*x-s*y, s*x+c*y
					x, y = vp[i], vq[i]
					vp[i], vq[i] = c*x-s*y, s*x+c*y
				}
			}
		}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case h[a][a] > h[b][b]:
			return -1
		case h[a][a] < h[b][b]:
			return 1
		}
		return 0
	})
	for _, i := range order {
		values, vectors = append(values, h[i][i]), append(vectors, v[i])
	}
	return values, vectors
}
