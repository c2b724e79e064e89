//go:build goexperiment.simd && amd64

package ials

import "simd/archsimd"

// Every kernel here must end with ClearAVXUpperBits. Otherwise all scalar arithmetic after it runs
// 2.5 to 4 times slower. Their shape follows from the compiler: it keeps 15 vector registers, and
// MulAdd overwrites a factor, not the sum, so eight sums fit. 8 × 32 columns spill to memory and
// reach a quarter of the speed; 4 × 32 reach three quarters of what registers alone give. Vectors
// are never put into arrays, because arrays live in memory.

func chooseKernels() *kernels {
	switch {
	case archsimd.X86.AVX512():
		return avx512Kernels()
	case archsimd.X86.AVX2() && archsimd.X86.FMA():
		return avx2Kernels()
	default:
		return goKernels()
	}
}

func avx2Kernels() *kernels {
	return &kernels{name: "avx", tile: tileAVX2, tile2: tile2AVX2, dots: dotsAVX2, scale: scaleAVX, combine: combineAVX,
		columns: columnsAVX, finish: finishAVX, settle: settleAVX, estimate: estimateAVX2, above: aboveAVX,
		dot: dotAVX, dot64: dot64AVX, dots64: dots64AVX, mixed: mixedAVX, axpy64: axpy64AVX, rotate64: rotate64AVX}
}

func avx512Kernels() *kernels {
	k := avx2Kernels() // the others wait for memory, and twice the width would only lower the clock
	k.tile, k.tile2, k.dots, k.estimate = tileAVX512, tile2AVX512, dotsAVX512, estimateAVX512
	return k
}

func low(x *lane) *[8]float32  { return (*[8]float32)(x[:8]) }
func high(x *lane) *[8]float32 { return (*[8]float32)(x[8:]) }

// fold adds up each of four vectors.
func fold(a, b, c, d archsimd.Float32x8) archsimd.Float32x4 {
	s := a.AddPairsGrouped(b).AddPairsGrouped(c.AddPairsGrouped(d))
	return s.GetLo().Add(s.GetHi())
}

func scaleAVX(dst []lane, stride int, src []float32, w []lane, f float32) {
	factor := archsimd.BroadcastFloat32x8(f)
	l := 0
	for ; len(src) >= 16; l, src = l+1, src[16:] {
		a := archsimd.LoadFloat32x8((*[8]float32)(src)).Mul(factor)
		b := archsimd.LoadFloat32x8((*[8]float32)(src[8:])).Mul(factor)
		if w != nil {
			a, b = a.Mul(archsimd.LoadFloat32x8(low(&w[l]))), b.Mul(archsimd.LoadFloat32x8(high(&w[l])))
		}
		d := &dst[l*stride]
		a.Store(low(d))
		b.Store(high(d))
	}
	archsimd.ClearAVXUpperBits()
	if len(src) > 0 {
		if w != nil {
			w = w[l:]
		}
		goScale(dst[l*stride:], stride, src, w, f)
	}
}

func combineAVX(dst, rows []lane, f []float32) {
	m := len(dst)
	rows = rows[:len(f)*m]
	for l := range dst {
		var a0, b0, a1, b1 archsimd.Float32x8 // even and odd rows: one sum would wait for itself
		p, at := 0, l
		for ; p+1 < len(f); p, at = p+2, at+2*m {
			v := archsimd.BroadcastFloat32x8(f[p])
			a0 = v.MulAdd(archsimd.LoadFloat32x8(low(&rows[at])), a0)
			b0 = v.MulAdd(archsimd.LoadFloat32x8(high(&rows[at])), b0)
			v = archsimd.BroadcastFloat32x8(f[p+1])
			a1 = v.MulAdd(archsimd.LoadFloat32x8(low(&rows[at+m])), a1)
			b1 = v.MulAdd(archsimd.LoadFloat32x8(high(&rows[at+m])), b1)
		}
		if p < len(f) {
			v := archsimd.BroadcastFloat32x8(f[p])
			a0 = v.MulAdd(archsimd.LoadFloat32x8(low(&rows[at])), a0)
			b0 = v.MulAdd(archsimd.LoadFloat32x8(high(&rows[at])), b0)
		}
		d := &dst[l]
		archsimd.LoadFloat32x8(low(d)).Add(a0.Add(a1)).Store(low(d))
		archsimd.LoadFloat32x8(high(d)).Add(b0.Add(b1)).Store(high(d))
	}
	archsimd.ClearAVXUpperBits()
}

func columnsAVX(out *lane, rows []lane, x *lane) {
	rows = rows[:16]
	a, b := archsimd.LoadFloat32x8(low(x)), archsimd.LoadFloat32x8(high(x))
	for p := 0; p < 16; p += 4 {
		r := rows[p : p+4 : p+4]
		s0 := archsimd.LoadFloat32x8(low(&r[0])).MulAdd(a, archsimd.LoadFloat32x8(high(&r[0])).Mul(b))
		s1 := archsimd.LoadFloat32x8(low(&r[1])).MulAdd(a, archsimd.LoadFloat32x8(high(&r[1])).Mul(b))
		s2 := archsimd.LoadFloat32x8(low(&r[2])).MulAdd(a, archsimd.LoadFloat32x8(high(&r[2])).Mul(b))
		s3 := archsimd.LoadFloat32x8(low(&r[3])).MulAdd(a, archsimd.LoadFloat32x8(high(&r[3])).Mul(b))
		fold(s0, s1, s2, s3).Store((*[4]float32)(out[p:]))
	}
	archsimd.ClearAVXUpperBits()
}

func finishAVX(u []lane, stride, count int, l *lane) {
	l00 := archsimd.BroadcastFloat32x8(l[0])
	l10, l11 := archsimd.BroadcastFloat32x8(l[4]), archsimd.BroadcastFloat32x8(l[5])
	l20, l21, l22 := archsimd.BroadcastFloat32x8(l[8]), archsimd.BroadcastFloat32x8(l[9]),
		archsimd.BroadcastFloat32x8(l[10])
	l30, l31 := archsimd.BroadcastFloat32x8(l[12]), archsimd.BroadcastFloat32x8(l[13])
	l32, l33 := archsimd.BroadcastFloat32x8(l[14]), archsimd.BroadcastFloat32x8(l[15])
	for q := range count {
		c := u[q*stride : q*stride+4]
		for k := 0; k < 16; k += 8 {
			p0, p1, p2, p3 := (*[8]float32)(c[0][k:]), (*[8]float32)(c[1][k:]), (*[8]float32)(c[2][k:]), (*[8]float32)(c[3][k:])
			x0, x1 := archsimd.LoadFloat32x8(p0), archsimd.LoadFloat32x8(p1)
			x2, x3 := archsimd.LoadFloat32x8(p2), archsimd.LoadFloat32x8(p3)
			x3.MulAdd(l33, x2.MulAdd(l32, x1.MulAdd(l31, x0.Mul(l30)))).Store(p3)
			x2.MulAdd(l22, x1.MulAdd(l21, x0.Mul(l20))).Store(p2)
			x1.MulAdd(l11, x0.Mul(l10)).Store(p1)
			x0.Mul(l00).Store(p0)
		}
	}
	archsimd.ClearAVXUpperBits()
}

func settleAVX(dst []float32, src, w []lane) bool {
	zero, tiny := archsimd.BroadcastFloat32x8(0), archsimd.BroadcastFloat32x8(negligible)
	sum := zero
	l := 0
	for ; len(dst) >= 16; l, dst = l+1, dst[16:] {
		a, b := archsimd.LoadFloat32x8(low(&src[l])), archsimd.LoadFloat32x8(high(&src[l]))
		if w != nil {
			a, b = a.Mul(archsimd.LoadFloat32x8(low(&w[l]))), b.Mul(archsimd.LoadFloat32x8(high(&w[l])))
		}
		sum = sum.Add(a.Sub(a)).Add(b.Sub(b))
		a.Masked(a.Max(zero.Sub(a)).GreaterEqual(tiny)).Store((*[8]float32)(dst))
		b.Masked(b.Max(zero.Sub(b)).GreaterEqual(tiny)).Store((*[8]float32)(dst[8:]))
	}
	total := fold(sum, sum, sum, sum).GetElem(0)
	archsimd.ClearAVXUpperBits()
	if len(dst) > 0 {
		if w != nil {
			w = w[l:]
		}
		return goSettle(dst, src[l:], w) && total == 0
	}
	return total == 0
}

func aboveAVX(masks []uint16, out []sums, scale []lane, base int32, floor float32) {
	bound, less := archsimd.BroadcastFloat32x8(floor), archsimd.BroadcastInt32x8(base)
	for i := range masks {
		row, w := &out[16*i], &scale[i]
		a := archsimd.LoadInt32x8((*[8]int32)(row[:8])).Sub(less).ConvertToFloat32()
		b := archsimd.LoadInt32x8((*[8]int32)(row[8:])).Sub(less).ConvertToFloat32()
		a, b = a.Mul(archsimd.LoadFloat32x8(low(w))), b.Mul(archsimd.LoadFloat32x8(high(w)))
		masks[i] = uint16(a.Greater(bound).ToBits()) | uint16(b.Greater(bound).ToBits())<<8
	}
	archsimd.ClearAVXUpperBits()
}

func dotAVX(x, y []float32) float32 {
	y = y[:len(x)]
	var a, b archsimd.Float32x8
	for len(x) >= 16 && len(y) >= 16 {
		a = archsimd.LoadFloat32x8((*[8]float32)(x)).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(y)), a)
		b = archsimd.LoadFloat32x8((*[8]float32)(x[8:])).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(y[8:])), b)
		x, y = x[16:], y[16:]
	}
	a = a.Add(b)
	sum := fold(a, a, a, a).GetElem(0)
	archsimd.ClearAVXUpperBits()
	return sum + goDot(x, y)
}

func dot64AVX(x, y []float64) float64 {
	y = y[:len(x)]
	var a, b archsimd.Float64x4
	for len(x) >= 8 && len(y) >= 8 {
		a = archsimd.LoadFloat64x4((*[4]float64)(x)).MulAdd(archsimd.LoadFloat64x4((*[4]float64)(y)), a)
		b = archsimd.LoadFloat64x4((*[4]float64)(x[4:])).MulAdd(archsimd.LoadFloat64x4((*[4]float64)(y[4:])), b)
		x, y = x[8:], y[8:]
	}
	var s [4]float64
	a.Add(b).Store(&s)
	archsimd.ClearAVXUpperBits()
	return (s[0] + s[1]) + (s[2] + s[3]) + dot(x, y)
}

func dots64AVX(to0, to1 *[2]float64, x0, x1, y0, y1 []float64) {
	x1, y0, y1 = x1[:len(x0)], y0[:len(x0)], y1[:len(x0)]
	var a00, a10, a01, a11, b00, b10, b01, b11 archsimd.Float64x4
	for len(x0) >= 8 && len(x1) >= 8 && len(y0) >= 8 && len(y1) >= 8 {
		u0, u1 := archsimd.LoadFloat64x4((*[4]float64)(x0)), archsimd.LoadFloat64x4((*[4]float64)(x1))
		v0, v1 := archsimd.LoadFloat64x4((*[4]float64)(y0)), archsimd.LoadFloat64x4((*[4]float64)(y1))
		a00, a10, a01, a11 = u0.MulAdd(v0, a00), u1.MulAdd(v0, a10), u0.MulAdd(v1, a01), u1.MulAdd(v1, a11)
		u0, u1 = archsimd.LoadFloat64x4((*[4]float64)(x0[4:])), archsimd.LoadFloat64x4((*[4]float64)(x1[4:]))
		v0, v1 = archsimd.LoadFloat64x4((*[4]float64)(y0[4:])), archsimd.LoadFloat64x4((*[4]float64)(y1[4:]))
		b00, b10, b01, b11 = u0.MulAdd(v0, b00), u1.MulAdd(v0, b10), u0.MulAdd(v1, b01), u1.MulAdd(v1, b11)
		x0, x1, y0, y1 = x0[8:], x1[8:], y0[8:], y1[8:]
	}
	s0, s1 := a00.Add(b00).AddPairsGrouped(a10.Add(b10)), a01.Add(b01).AddPairsGrouped(a11.Add(b11))
	s0.GetLo().Add(s0.GetHi()).Store(to0)
	s1.GetLo().Add(s1.GetHi()).Store(to1)
	archsimd.ClearAVXUpperBits()
	if len(x0) > 0 {
		to0[0], to0[1] = to0[0]+dot(x0, y0), to0[1]+dot(x1, y0)
		to1[0], to1[1] = to1[0]+dot(x0, y1), to1[1]+dot(x1, y1)
	}
}

func mixedAVX(x []float64, y []float32) float64 {
	y = y[:len(x)]
	var a, b archsimd.Float64x4
	for len(x) >= 8 && len(y) >= 8 {
		a = archsimd.LoadFloat64x4((*[4]float64)(x)).
			MulAdd(archsimd.LoadFloat32x4((*[4]float32)(y)).ConvertToFloat64(), a)
		b = archsimd.LoadFloat64x4((*[4]float64)(x[4:])).
			MulAdd(archsimd.LoadFloat32x4((*[4]float32)(y[4:])).ConvertToFloat64(), b)
		x, y = x[8:], y[8:]
	}
	var s [4]float64
	a.Add(b).Store(&s)
	archsimd.ClearAVXUpperBits()
	return (s[0] + s[1]) + (s[2] + s[3]) + inner(x, y)
}

func axpy64AVX(f float64, x, y []float64) {
	y = y[:len(x)]
	v := archsimd.BroadcastFloat64x4(f)
	for len(x) >= 4 && len(y) >= 4 {
		d := (*[4]float64)(y)
		archsimd.LoadFloat64x4((*[4]float64)(x)).MulAdd(v, archsimd.LoadFloat64x4(d)).Store(d)
		x, y = x[4:], y[4:]
	}
	archsimd.ClearAVXUpperBits()
	axpy(f, x, y)
}

func rotate64AVX(c, s float64, x, y []float64) {
	y = y[:len(x)]
	cos, sin := archsimd.BroadcastFloat64x4(c), archsimd.BroadcastFloat64x4(s)
	for len(x) >= 4 && len(y) >= 4 {
		p, q := (*[4]float64)(x), (*[4]float64)(y)
		v, w := archsimd.LoadFloat64x4(p), archsimd.LoadFloat64x4(q)
		v.Mul(cos).Sub(w.Mul(sin)).Store(p)
		v.Mul(sin).Add(w.Mul(cos)).Store(q)
		x, y = x[4:], y[4:]
	}
	archsimd.ClearAVXUpperBits()
	goRotate64(c, s, x, y)
}
