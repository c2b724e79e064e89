//go:build !(goexperiment.simd && amd64)

package ials

func chooseKernels() *kernels { return goKernels() }

// allKernels are the sets that this machine can run.
func allKernels() []*kernels { return []*kernels{goKernels()} }
