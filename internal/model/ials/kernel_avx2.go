//go:build goexperiment.simd && amd64

package ials

import "simd/archsimd"

func tileAVX2(c, a []lane, o int, b []lane, subtract bool) {
	o &= 12
	var s0, s1, s2, s3, t0, t1, t2, t3 archsimd.Float32x8 // s: columns 0 to 7, t: 8 to 15
	b = b[:len(a)]
	p := 0 // two rows a turn: the compiler moves all eight sums at the end of each, which costs as much as adding to them
	for ; p+1 < len(a) && p+1 < len(b); p += 2 {
		x0, x1, v := archsimd.LoadFloat32x8(low(&b[p])), archsimd.LoadFloat32x8(high(&b[p])), &a[p]
		f := archsimd.BroadcastFloat32x8(v[o])
		s0, t0 = f.MulAdd(x0, s0), f.MulAdd(x1, t0)
		f = archsimd.BroadcastFloat32x8(v[o+1])
		s1, t1 = f.MulAdd(x0, s1), f.MulAdd(x1, t1)
		f = archsimd.BroadcastFloat32x8(v[o+2])
		s2, t2 = f.MulAdd(x0, s2), f.MulAdd(x1, t2)
		f = archsimd.BroadcastFloat32x8(v[o+3])
		s3, t3 = f.MulAdd(x0, s3), f.MulAdd(x1, t3)
		x0, x1, v = archsimd.LoadFloat32x8(low(&b[p+1])), archsimd.LoadFloat32x8(high(&b[p+1])), &a[p+1]
		f = archsimd.BroadcastFloat32x8(v[o])
		s0, t0 = f.MulAdd(x0, s0), f.MulAdd(x1, t0)
		f = archsimd.BroadcastFloat32x8(v[o+1])
		s1, t1 = f.MulAdd(x0, s1), f.MulAdd(x1, t1)
		f = archsimd.BroadcastFloat32x8(v[o+2])
		s2, t2 = f.MulAdd(x0, s2), f.MulAdd(x1, t2)
		f = archsimd.BroadcastFloat32x8(v[o+3])
		s3, t3 = f.MulAdd(x0, s3), f.MulAdd(x1, t3)
	}
	if p < len(a) {
		x0, x1, v := archsimd.LoadFloat32x8(low(&b[p])), archsimd.LoadFloat32x8(high(&b[p])), &a[p]
		f := archsimd.BroadcastFloat32x8(v[o])
		s0, t0 = f.MulAdd(x0, s0), f.MulAdd(x1, t0)
		f = archsimd.BroadcastFloat32x8(v[o+1])
		s1, t1 = f.MulAdd(x0, s1), f.MulAdd(x1, t1)
		f = archsimd.BroadcastFloat32x8(v[o+2])
		s2, t2 = f.MulAdd(x0, s2), f.MulAdd(x1, t2)
		f = archsimd.BroadcastFloat32x8(v[o+3])
		s3, t3 = f.MulAdd(x0, s3), f.MulAdd(x1, t3)
	}
	c = c[:4]
	addAVX2(&c[0], s0, t0, subtract)
	addAVX2(&c[1], s1, t1, subtract)
	addAVX2(&c[2], s2, t2, subtract)
	addAVX2(&c[3], s3, t3, subtract)
	archsimd.ClearAVXUpperBits()
}

func addAVX2(c *lane, s, t archsimd.Float32x8, subtract bool) {
	a, b := archsimd.LoadFloat32x8(low(c)), archsimd.LoadFloat32x8(high(c))
	if subtract {
		a.Sub(s).Store(low(c))
		b.Sub(t).Store(high(c))
		return
	}
	a.Add(s).Store(low(c))
	b.Add(t).Store(high(c))
}

func tile2AVX2(c0, c1, a []lane, o int, b0, b1 []lane, subtract bool) {
	tileAVX2(c0, a, o, b0, subtract)
	tileAVX2(c1, a, o, b1, subtract)
}

func dotsAVX2(out []lane, at layout, i int, x, y []lane, m, from, to int) {
	x0, x1 := x[:m], x[m:2*m]
	var halves [8][8]float32
	for j := from; j < to; j += 4 {
		y := y[j*m : (j+4)*m]
		dotsLow(&halves, x0, x1, y[:m], y[m:2*m], y[2*m:3*m], y[3*m:])
		base := i*at.row + j/16*at.panel
		dotsHigh(&halves, (*[4]float32)(out[base][j&12:]), (*[4]float32)(out[base+at.row][j&12:]), x0, x1, y[:m], y[m:2*m],
			y[2*m:3*m], y[3*m:])
	}
	archsimd.ClearAVXUpperBits()
}

// dotsLow sums the products of the lower halves of all lanes. Like dotsHigh it leaves the upper
// bits to its caller.
func dotsLow(sums *[8][8]float32, x0, x1, y0, y1, y2, y3 []lane) {
	x1 = x1[:len(x0)]
	y0, y1, y2, y3 = y0[:len(x0)], y1[:len(x0)], y2[:len(x0)], y3[:len(x0)]
	var s00, s01, s02, s03, s10, s11, s12, s13 archsimd.Float32x8
	for l := range x0 {
		f0, f1 := archsimd.LoadFloat32x8(low(&x0[l])), archsimd.LoadFloat32x8(low(&x1[l]))
		v := archsimd.LoadFloat32x8(low(&y0[l]))
		s00, s10 = v.MulAdd(f0, s00), v.MulAdd(f1, s10)
		v = archsimd.LoadFloat32x8(low(&y1[l]))
		s01, s11 = v.MulAdd(f0, s01), v.MulAdd(f1, s11)
		v = archsimd.LoadFloat32x8(low(&y2[l]))
		s02, s12 = v.MulAdd(f0, s02), v.MulAdd(f1, s12)
		v = archsimd.LoadFloat32x8(low(&y3[l]))
		s03, s13 = v.MulAdd(f0, s03), v.MulAdd(f1, s13)
	}
	s00.Store(&sums[0])
	s01.Store(&sums[1])
	s02.Store(&sums[2])
	s03.Store(&sums[3])
	s10.Store(&sums[4])
	s11.Store(&sums[5])
	s12.Store(&sums[6])
	s13.Store(&sums[7])
}

// dotsHigh sums the products of the upper halves, and adds up both.
func dotsHigh(sums *[8][8]float32, out0, out1 *[4]float32, x0, x1, y0, y1, y2, y3 []lane) {
	x1 = x1[:len(x0)]
	y0, y1, y2, y3 = y0[:len(x0)], y1[:len(x0)], y2[:len(x0)], y3[:len(x0)]
	var s00, s01, s02, s03, s10, s11, s12, s13 archsimd.Float32x8
	for l := range x0 {
		f0, f1 := archsimd.LoadFloat32x8(high(&x0[l])), archsimd.LoadFloat32x8(high(&x1[l]))
		v := archsimd.LoadFloat32x8(high(&y0[l]))
		s00, s10 = v.MulAdd(f0, s00), v.MulAdd(f1, s10)
		v = archsimd.LoadFloat32x8(high(&y1[l]))
		s01, s11 = v.MulAdd(f0, s01), v.MulAdd(f1, s11)
		v = archsimd.LoadFloat32x8(high(&y2[l]))
		s02, s12 = v.MulAdd(f0, s02), v.MulAdd(f1, s12)
		v = archsimd.LoadFloat32x8(high(&y3[l]))
		s03, s13 = v.MulAdd(f0, s03), v.MulAdd(f1, s13)
	}
	fold(archsimd.LoadFloat32x8(&sums[0]).Add(s00), archsimd.LoadFloat32x8(&sums[1]).Add(s01),
		archsimd.LoadFloat32x8(&sums[2]).Add(s02), archsimd.LoadFloat32x8(&sums[3]).Add(s03)).Store(out0)
	fold(archsimd.LoadFloat32x8(&sums[4]).Add(s10), archsimd.LoadFloat32x8(&sums[5]).Add(s11),
		archsimd.LoadFloat32x8(&sums[6]).Add(s12), archsimd.LoadFloat32x8(&sums[7]).Add(s13)).Store(out1)
}

// estimateAVX2 is estimateAVX512 for two queries and one panel at a time: more do not fit in the registers.
func estimateAVX2(c0, c1, a []sums, o int, b0, b1 []panel) {
	o &= 12
	c0, c1 = c0[:4], c1[:4]
	estimateTwo(&c0[0], &c0[1], a, o, b0)
	estimateTwo(&c1[0], &c1[1], a, o, b1)
	estimateTwo(&c0[2], &c0[3], a, o+2, b0)
	estimateTwo(&c1[2], &c1[3], a, o+2, b1)
	archsimd.ClearAVXUpperBits()
}

func estimateTwo(c0, c1 *sums, a []sums, o int, b []panel) {
	o &= 14
	ones := archsimd.BroadcastInt16x16(1)
	var s0, s1, t0, t1 archsimd.Int32x8 // s: rows 0 to 7, t: 8 to 15
	b = b[:len(a)]
	for p := 0; p+1 < len(a) && p+1 < len(b); p += 2 {
		x, y := &b[p], &b[p+1]
		x0, x1 := archsimd.LoadUint8x32((*[32]uint8)(x[:32])), archsimd.LoadUint8x32((*[32]uint8)(x[32:]))
		y0, y1 := archsimd.LoadUint8x32((*[32]uint8)(y[:32])), archsimd.LoadUint8x32((*[32]uint8)(y[32:]))
		f, g := archsimd.BroadcastInt32x8(a[p][o]).AsInt8x32(), archsimd.BroadcastInt32x8(a[p+1][o]).AsInt8x32()
		s0 = s0.Add(x0.DotProductPairsSaturated(f).Add(y0.DotProductPairsSaturated(g)).DotProductPairs(ones))
		t0 = t0.Add(x1.DotProductPairsSaturated(f).Add(y1.DotProductPairsSaturated(g)).DotProductPairs(ones))
		f, g = archsimd.BroadcastInt32x8(a[p][o+1]).AsInt8x32(), archsimd.BroadcastInt32x8(a[p+1][o+1]).AsInt8x32()
		s1 = s1.Add(x0.DotProductPairsSaturated(f).Add(y0.DotProductPairsSaturated(g)).DotProductPairs(ones))
		t1 = t1.Add(x1.DotProductPairsSaturated(f).Add(y1.DotProductPairsSaturated(g)).DotProductPairs(ones))
	}
	s0.Store((*[8]int32)(c0[:8]))
	t0.Store((*[8]int32)(c0[8:]))
	s1.Store((*[8]int32)(c1[:8]))
	t1.Store((*[8]int32)(c1[8:]))
}
