//go:build !(goexperiment.simd && amd64)

package ials

// allKernels are the sets that this machine can run.
func allKernels() []*kernels { return []*kernels{goKernels()} }
