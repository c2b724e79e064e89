// Package ials is implicit-feedback weighted matrix factorisation as in Rendle et al. (2022), "Revisiting the Performance
// of iALS on Item Recommendation Benchmarks" (https://arxiv.org/abs/2110.14037). It minimises
//
//	Σ over observed (u,i) of c·(⟨w_u,h_i⟩ − 1)²  +  α0 · Σ over all (u,i) of ⟨w_u,h_i⟩²  +  Σ λ_r·|row|²
//
// where a row with k observations is regularised by λ_r = λ·(k + α0·n)^ν, n being the number of rows on the other side.
// Fit trains both sides; Folder solves the same equations for one shopper at serving time, so that the two cannot drift apart.
//
// It owns the arithmetic, and nothing else: it does not know where interactions come from, what a star is, or how good a model is.
package ials

import "math"

// Regularisation is the λ_r of a row with k observations when the other side has n rows.
func Regularisation(lambda, alpha0, nu float64, k, n int) float64 {
	return lambda * math.Pow(float64(k)+alpha0*float64(n), nu)
}
