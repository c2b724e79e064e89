//go:build !(goexperiment.simd && amd64)

package ials

func chooseKernels() *kernels { return goKernels() }
