package evaluation

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"kindred/internal/model/ials"
	"kindred/internal/platform/parallel"
)

const (
	// gfcfDim and gfcfWeight are GF-CF's published rank of the ideal low-pass filter and its weight.
	gfcfDim    = 256
	gfcfWeight = 0.3
	// The subspace iteration: so many more vectors than asked for, so many rounds of a Chebyshev
	// filter of at most such a degree, and lower where it would favour the largest eigenvector so much
	// that rounding drowns the small ones.
	spareVectors  = 64
	filterRounds  = 7
	filterDegree  = 8
	largestFavour = 1e10
	subspaceSeed  = 256
	smallestWidth = 1e-12
)

// GFCF is graph filtering (Shen et al. 2021, https://arxiv.org/abs/2108.07567) exactly as
// published: the linear filter R̃ᵀR̃ plus 0.3 times the ideal low-pass filter of rank 256 between
// degree normalisations, R̃ = D_u^-½·R·D_i^-½. Nothing is trained or tuned.
func GFCF(ctx context.Context, likes *Pairs, threads int) (Block, error) {
	return graphFilter(ctx, likes, gfcfDim, threads)
}

// GFCFMemory is how many bytes GFCF takes at its peak, besides the pairs: three bases of the
// smaller side and two matrices of the products.
func GFCFMemory(customers, products int) int64 {
	return 3*8*(gfcfDim+spareVectors)*int64(min(customers, products)) + (2*4+8)*gfcfDim*int64(products)
}

func graphFilter(ctx context.Context, likes *Pairs, dim, threads int) (Block, error) {
	r := newNormalised(likes)
	left, right, d, err := r.lowPass(ctx, dim, threads)
	if err != nil {
		return nil, err
	}
	low := projected(likes, left, right, d)
	return func(customers []int32, scores []float32) {
		low(customers, scores)
		for i := range scores {
			scores[i] *= gfcfWeight
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

// lowPass is the ideal low-pass filter of a rank between degree normalisations, as two matrices of
// the products, d wide: a customer's scores are the sum of their products' rows of left, times right
// transposed.
func (r *normalised) lowPass(ctx context.Context, rank, threads int) (left, right []float32, d int, err error) {
	v, err := r.rightVectors(ctx, min(rank, len(r.likes.Of)-1, r.likes.Products-1), threads)
	if err != nil {
		return nil, nil, 0, err
	}
	d = len(v)
	left, right = make([]float32, r.likes.Products*d), make([]float32, r.likes.Products*d)
	for j := range r.likes.Products {
		for k := range v {
			left[j*d+k] = float32(v[k][j] * r.scaleItem[j])
			if s := r.scaleItem[j]; s > 0 {
				right[j*d+k] = float32(v[k][j] / s)
			}
		}
	}
	return left, right, d, nil
}

// projected ranks by what lowPass returned.
func projected(likes *Pairs, left, right []float32, d int) Block {
	return func(customers []int32, scores []float32) {
		if d == 0 {
			clear(scores)
			return
		}
		vectors := make([]float32, len(customers)*d)
		for i, c := range customers {
			own := vectors[i*d : (i+1)*d]
			for _, j := range likes.Of[c] {
				for k, x := range left[int(j)*d : (int(j)+1)*d] {
					own[k] += x
				}
			}
		}
		ials.Scores(vectors, right, d, scores)
	}
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

// rightVectors is the k leading right singular vectors, by Chebyshev-filtered subspace iteration on
// the smaller side's Gram matrix.
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
		parallel.Tasks(threads, width, func(_, i int) { basis[i] = filtered(apply, basis[i], cut, degree) })
		orthonormalise(basis, threads)
		values, err := rotate(apply, basis, threads)
		if err != nil {
			return nil, err
		}
		cut = max(values[width-1], smallestWidth)
		degree = max(1, min(filterDegree, int(math.Acosh(largestFavour)/math.Acosh(max(2*values[0]/cut-1, 1+smallestWidth)))))
	}
	basis = basis[:k]
	if n == r.likes.Products {
		return basis, nil
	}
	right := make([][]float64, k)
	parallel.Tasks(threads, k, func(_, i int) {
		right[i] = make([]float64, r.likes.Products)
		r.transposedTimes(basis[i], right[i])
		if norm := floats.Norm(right[i], 2); norm > 0 {
			for j := range right[i] {
				right[i][j] /= norm
			}
		}
	})
	return right, nil
}

// filtered is T(A)·x for the Chebyshev polynomial that is small on [0, cut] and grows fast above;
// with cut = 0 it is A²·x.
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
				parallel.Tasks(threads, i, func(_, j int) { c[j] = floats.Dot(basis[j], b) })
			} else {
				for j := range i {
					c[j] = floats.Dot(basis[j], b)
				}
			}
			for j := range i {
				floats.AddScaled(b, -c[j], basis[j])
			}
			norm := floats.Norm(b, 2)
			if norm == 0 {
				norm = 1
			}
			for j := range b {
				b[j] /= norm
			}
		}
	}
}

// rotate turns the orthonormal basis to the approximate eigenvectors within its span, largest
// eigenvalue first.
func rotate(apply func(x, y []float64), basis [][]float64, threads int) (values []float64, err error) {
	width, n := len(basis), len(basis[0])
	image, h := make([][]float64, width), mat.NewSymDense(width, nil)
	parallel.Tasks(threads, width, func(_, i int) {
		image[i] = make([]float64, n)
		apply(basis[i], image[i])
	})
	parallel.Tasks(threads, width, func(_, i int) {
		for j := i; j < width; j++ {
			h.SetSym(i, j, floats.Dot(basis[i], image[j]))
		}
	})
	var eigen mat.EigenSym
	if !eigen.Factorize(h, true) {
		return nil, errors.New("find the eigenvectors of a small symmetric matrix: no convergence")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors) // columns, smallest eigenvalue first
	values = eigen.Values(nil)
	slices.Reverse(values)
	parallel.Tasks(threads, width, func(_, i int) {
		clear(image[i])
		for j, b := range basis {
			floats.AddScaled(image[i], vectors.At(j, width-1-i), b)
		}
	})
	copy(basis, image)
	return values, nil
}
