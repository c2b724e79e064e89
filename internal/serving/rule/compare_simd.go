//go:build goexperiment.simd && amd64

package rule

import "simd/archsimd"

// hasAVX2 says whether this machine can compare several values at once.
var hasAVX2 = archsimd.X86.AVX2()

// equalTo is goEqualTo, 8 values at once.
func equalTo(values *[word]uint32, other uint32) (equals uint64) {
	if !hasAVX2 {
		return goEqualTo(values, other)
	}
	o := archsimd.BroadcastUint32x8(other)
	for i := 0; i < word; i += 16 {
		a := archsimd.LoadUint32x8((*[8]uint32)(values[i:])).Equal(o).ToBits()
		b := archsimd.LoadUint32x8((*[8]uint32)(values[i+8:])).Equal(o).ToBits()
		equals |= (uint64(a) | uint64(b)<<8) << i
	}
	archsimd.ClearAVXUpperBits()
	return equals
}

// inside is goInside, 4 values at once.
func inside(values *[word]int64, s span) (in uint64) {
	if !hasAVX2 {
		return goInside(values, s)
	}
	least, most := archsimd.BroadcastInt64x4(s.least), archsimd.BroadcastInt64x4(s.most)
	for i := 0; i < word; i += 8 {
		x := archsimd.LoadInt64x4((*[4]int64)(values[i:]))
		y := archsimd.LoadInt64x4((*[4]int64)(values[i+4:]))
		a := least.Greater(x).Or(x.Greater(most)).ToBits()
		b := least.Greater(y).Or(y.Greater(most)).ToBits()
		in |= (uint64(a) | uint64(b)<<4) << i
	}
	archsimd.ClearAVXUpperBits()
	return ^in
}
