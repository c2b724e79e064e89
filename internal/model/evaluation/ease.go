package evaluation

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"kindred/internal/platform/parallel"
)

// ErrTooLarge says that a baseline does not fit; the error's text says what it would take.
var ErrTooLarge = errors.New("too large for this baseline")

// largestInverse is the widest matrix that is inverted: 400 MB with its factor, and half a minute
// of two cores.
const largestInverse = 5000

// EASE is the linear item-item model with a zero diagonal (Steck 2019,
// https://arxiv.org/abs/1905.03375), exact. With P = (XᵀX + λI)⁻¹ it scores by x·B, B =
// −P·diag(P)⁻¹ off the diagonal. Where there are fewer customers than products, the same comes from
// the smaller (XXᵀ + λI)⁻¹ by Woodbury's identity. Scores of what the customer likes already mean
// nothing: they are masked. The error is ErrTooLarge.
func EASE(likes *Pairs, lambda float64, threads int) (Ranker, error) {
	n := min(len(likes.Of), likes.Products)
	if n > largestInverse {
		return nil, fmt.Errorf("invert a %d × %d matrix, %.1f GB and %.1f Tflop, more than %d wide: %w",
			n, n, 2*8*float64(n)*float64(n)/1e9, float64(n)*float64(n)*float64(n)/1e12, largestInverse, ErrTooLarge)
	}
	columns := likes.Transposed()
	if likes.Products <= len(likes.Of) {
		p, err := ridgeInverse(columns, lambda, threads)
		if err != nil {
			return nil, err
		}
		return func(customer int32, scores []float32) {
			sum := make([]float64, n)
			for _, i := range likes.Of[customer] {
				floats.Add(sum, p[i])
			}
			for j, s := range sum {
				scores[j] = float32(-s / p[j][j])
			}
		}, nil
	}
	k, err := ridgeInverse(likes, lambda, threads)
	if err != nil {
		return nil, err
	}
	slack := make([]float64, likes.Products) // λ·P's diagonal: 1 − xⱼᵀ·K⁻¹·xⱼ
	parallel.Tasks(threads, likes.Products, func(_, j int) {
		h := 0.0
		for _, a := range columns.Of[j] {
			for _, b := range columns.Of[j] {
				h += k[a][b]
			}
		}
		slack[j] = 1 - h
	})
	return func(customer int32, scores []float32) {
		row := k[customer]
		sum := make([]float64, likes.Products)
		for v, own := range likes.Of {
			for _, j := range own {
				sum[j] += row[v]
			}
		}
		for j, s := range sum {
			scores[j] = float32(-lambda * s / slack[j])
		}
	}, nil
}

// ridgeInverse is (XXᵀ + λI)⁻¹ over the rows of x, λ > 0.
func ridgeInverse(x *Pairs, lambda float64, threads int) ([][]float64, error) {
	columns, n := x.Transposed(), len(x.Of)
	a := mat.NewSymDense(n, nil)
	rows := make([][]float64, n) // of a, both triangles
	for i := range rows {
		rows[i] = a.RawSymmetric().Data[i*n : (i+1)*n]
	}
	parallel.Tasks(threads, n, func(_, i int) {
		for _, p := range x.Of[i] {
			for _, j := range columns.Of[p] {
				rows[i][j]++
			}
		}
		rows[i][i] += lambda
	})
	var factor mat.Cholesky
	if !factor.Factorize(a) {
		return nil, fmt.Errorf("factorise a Gram matrix with lambda %g: it is not positive definite", lambda)
	}
	if err := factor.InverseTo(a); err != nil {
		return nil, fmt.Errorf("invert a Gram matrix with lambda %g: %w", lambda, err)
	}
	for i := range n {
		for j := range i {
			rows[i][j] = rows[j][i]
		}
	}
	return rows, nil
}
