//go:build goexperiment.simd && amd64

package ials

import "simd/archsimd"

// allKernels are the sets that this machine can run.
func allKernels() []*kernels {
	all := []*kernels{goKernels()}
	if archsimd.X86.AVX2() && archsimd.X86.FMA() {
		all = append(all, avx2Kernels())
	}
	if archsimd.X86.AVX512() {
		all = append(all, avx512Kernels())
	}
	return all
}
