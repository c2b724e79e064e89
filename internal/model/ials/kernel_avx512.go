//go:build goexperiment.simd && amd64

package ials

import "simd/archsimd"

func tileAVX512(c, a []lane, o int, b []lane, subtract bool) {
	o &= 12
	var s0, s1, s2, s3 archsimd.Float32x16
	i0, i1 := archsimd.BroadcastUint32x16(uint32(o)), archsimd.BroadcastUint32x16(uint32(o+1))
	i2, i3 := archsimd.BroadcastUint32x16(uint32(o+2)), archsimd.BroadcastUint32x16(uint32(o+3))
	b = b[:len(a)]
	for p := range a {
		x, v := archsimd.LoadFloat32x16(&b[p]), archsimd.LoadFloat32x16(&a[p])
		s0, s1 = v.Permute(i0).MulAdd(x, s0), v.Permute(i1).MulAdd(x, s1)
		s2, s3 = v.Permute(i2).MulAdd(x, s2), v.Permute(i3).MulAdd(x, s3)
	}
	add512(c, s0, s1, s2, s3, subtract)
	archsimd.ClearAVXUpperBits()
}

func tile2AVX512(c0, c1, a []lane, o int, b0, b1 []lane, subtract bool) {
	o &= 12
	var s00, s01, s10, s11, s20, s21, s30, s31 archsimd.Float32x16
	i0, i1 := archsimd.BroadcastUint32x16(uint32(o)), archsimd.BroadcastUint32x16(uint32(o+1))
	i2, i3 := archsimd.BroadcastUint32x16(uint32(o+2)), archsimd.BroadcastUint32x16(uint32(o+3))
	b0, b1 = b0[:len(a)], b1[:len(a)]
	for p := range a {
		x0, x1 := archsimd.LoadFloat32x16(&b0[p]), archsimd.LoadFloat32x16(&b1[p])
		v := archsimd.LoadFloat32x16(&a[p])
		f := v.Permute(i0)
		s00, s01 = f.MulAdd(x0, s00), f.MulAdd(x1, s01)
		f = v.Permute(i1)
		s10, s11 = f.MulAdd(x0, s10), f.MulAdd(x1, s11)
		f = v.Permute(i2)
		s20, s21 = f.MulAdd(x0, s20), f.MulAdd(x1, s21)
		f = v.Permute(i3)
		s30, s31 = f.MulAdd(x0, s30), f.MulAdd(x1, s31)
	}
	add512(c0, s00, s10, s20, s30, subtract)
	add512(c1, s01, s11, s21, s31, subtract)
	archsimd.ClearAVXUpperBits()
}

func add512(c []lane, s0, s1, s2, s3 archsimd.Float32x16, subtract bool) {
	c = c[:4]
	c0, c1 := archsimd.LoadFloat32x16(&c[0]), archsimd.LoadFloat32x16(&c[1])
	c2, c3 := archsimd.LoadFloat32x16(&c[2]), archsimd.LoadFloat32x16(&c[3])
	if subtract {
		c0.Sub(s0).Store(&c[0])
		c1.Sub(s1).Store(&c[1])
		c2.Sub(s2).Store(&c[2])
		c3.Sub(s3).Store(&c[3])
		return
	}
	c0.Add(s0).Store(&c[0])
	c1.Add(s1).Store(&c[1])
	c2.Add(s2).Store(&c[2])
	c3.Add(s3).Store(&c[3])
}

func dotsAVX512(out []lane, at layout, i int, x, y []lane, m, from, to int) {
	x0, x1 := x[:m], x[m:2*m]
	x1 = x1[:len(x0)]
	for j := from; j < to; j += 4 {
		y := y[j*m : (j+4)*m]
		y0, y1, y2, y3 := y[:m], y[m:2*m], y[2*m:3*m], y[3*m:]
		y0, y1, y2, y3 = y0[:len(x0)], y1[:len(x0)], y2[:len(x0)], y3[:len(x0)]
		var s00, s01, s02, s03, s10, s11, s12, s13 archsimd.Float32x16
		for l := range x0 {
			f0, f1 := archsimd.LoadFloat32x16(&x0[l]), archsimd.LoadFloat32x16(&x1[l])
			v := archsimd.LoadFloat32x16(&y0[l])
			s00, s10 = v.MulAdd(f0, s00), v.MulAdd(f1, s10)
			v = archsimd.LoadFloat32x16(&y1[l])
			s01, s11 = v.MulAdd(f0, s01), v.MulAdd(f1, s11)
			v = archsimd.LoadFloat32x16(&y2[l])
			s02, s12 = v.MulAdd(f0, s02), v.MulAdd(f1, s12)
			v = archsimd.LoadFloat32x16(&y3[l])
			s03, s13 = v.MulAdd(f0, s03), v.MulAdd(f1, s13)
		}
		base := i*at.row + j/16*at.panel
		o := j & 12
		fold(s00.GetLo().Add(s00.GetHi()), s01.GetLo().Add(s01.GetHi()), s02.GetLo().Add(s02.GetHi()),
			s03.GetLo().Add(s03.GetHi())).
			Store((*[4]float32)(out[base][o:]))
		fold(s10.GetLo().Add(s10.GetHi()), s11.GetLo().Add(s11.GetHi()), s12.GetLo().Add(s12.GetHi()),
			s13.GetLo().Add(s13.GetHi())).
			Store((*[4]float32)(out[base+at.row][o:]))
	}
	archsimd.ClearAVXUpperBits()
}

// estimateAVX512 adds four products in 16 bits, 32,004 at most, before it goes on with 32.
func estimateAVX512(c0, c1, a []sums, o int, b0, b1 []panel) {
	o &= 12
	ones := archsimd.BroadcastInt16x32(1)
	var s00, s01, s10, s11, s20, s21, s30, s31 archsimd.Int32x16
	b0, b1 = b0[:len(a)], b1[:len(a)]
	for p := 0; p+1 < len(a) && p+1 < len(b0) && p+1 < len(b1); p += 2 {
		v, w := &a[p], &a[p+1]
		x0, y0 := archsimd.LoadUint8x64(&b0[p]), archsimd.LoadUint8x64(&b0[p+1])
		x1, y1 := archsimd.LoadUint8x64(&b1[p]), archsimd.LoadUint8x64(&b1[p+1])
		f, g := archsimd.BroadcastInt32x16(v[o]).AsInt8x64(), archsimd.BroadcastInt32x16(w[o]).AsInt8x64()
		s00 = s00.Add(x0.DotProductPairsSaturated(f).Add(y0.DotProductPairsSaturated(g)).DotProductPairs(ones))
		s01 = s01.Add(x1.DotProductPairsSaturated(f).Add(y1.DotProductPairsSaturated(g)).DotProductPairs(ones))
		f, g = archsimd.BroadcastInt32x16(v[o+1]).AsInt8x64(), archsimd.BroadcastInt32x16(w[o+1]).AsInt8x64()
		s10 = s10.Add(x0.DotProductPairsSaturated(f).Add(y0.DotProductPairsSaturated(g)).DotProductPairs(ones))
		s11 = s11.Add(x1.DotProductPairsSaturated(f).Add(y1.DotProductPairsSaturated(g)).DotProductPairs(ones))
		f, g = archsimd.BroadcastInt32x16(v[o+2]).AsInt8x64(), archsimd.BroadcastInt32x16(w[o+2]).AsInt8x64()
		s20 = s20.Add(x0.DotProductPairsSaturated(f).Add(y0.DotProductPairsSaturated(g)).DotProductPairs(ones))
		s21 = s21.Add(x1.DotProductPairsSaturated(f).Add(y1.DotProductPairsSaturated(g)).DotProductPairs(ones))
		f, g = archsimd.BroadcastInt32x16(v[o+3]).AsInt8x64(), archsimd.BroadcastInt32x16(w[o+3]).AsInt8x64()
		s30 = s30.Add(x0.DotProductPairsSaturated(f).Add(y0.DotProductPairsSaturated(g)).DotProductPairs(ones))
		s31 = s31.Add(x1.DotProductPairsSaturated(f).Add(y1.DotProductPairsSaturated(g)).DotProductPairs(ones))
	}
	c0, c1 = c0[:4], c1[:4]
	s00.Store(&c0[0])
	s10.Store(&c0[1])
	s20.Store(&c0[2])
	s30.Store(&c0[3])
	s01.Store(&c1[0])
	s11.Store(&c1[1])
	s21.Store(&c1[2])
	s31.Store(&c1[3])
	archsimd.ClearAVXUpperBits()
}
