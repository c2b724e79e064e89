// Package ials is implicit-feedback weighted matrix factorisation as in Rendle et al. (2022),
// "Revisiting the Performance of iALS on Item Recommendation Benchmarks"
// (https://arxiv.org/abs/2110.14037). It minimises
//
//	Σ over observed (u,i) of c·(⟨w_u,h_i⟩ − 1)²  +  α0 · Σ over all (u,i) of ⟨w_u,h_i⟩²  +  Σ λ_r·|row|²
//
// where a row with k observations is regularised by λ_r = λ·(k + α0·n)^ν, n being the number of
// rows on the other side. Fit trains both sides; Folder solves the same equations for one visitor
// at serving time, so that the two cannot drift apart.
//
// A half-step solves every row of one side exactly. A row with up to 3/4·d cells is solved k × k
// instead of d × d in the eigenbasis of the other side's Gram matrix (see sweep), where that pays.
// No step is inexact. The block-coordinate iALS++ is left out: its half-steps are inexact, and exact
// ones take only seconds at d = 512.
//
// Inner loops exist twice (see kernels): in pure Go, and for amd64 in vector form when built with
// GOEXPERIMENT=simd. The bits of a model depend on the seed, the input and Kernel; not on the
// number of threads. Memory is 16 bytes per interaction, 4·d + 24 per row or column, and about 40
// d × d matrices, whatever the number of epochs (Memory).
//
// The package owns the arithmetic alone. It does not know where interactions come from, what a
// star is, or how good a model is.
package ials

import "math"

// Regularisation is the λ_r of a row with k observations when the other side has n rows.
func Regularisation(lambda, alpha0, nu float64, k, n int) float64 {
	return lambda * math.Pow(float64(k)+alpha0*float64(n), nu)
}
