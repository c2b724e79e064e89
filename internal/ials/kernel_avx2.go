//go:build goexperiment.simd && amd64

package ials

import "simd/archsimd"

func tileAVX2(c, a []lane, o int, b []lane, subtract bool) {
	o &= 12
	var s0, s1, s2, s3, t0, t1, t2, t3 archsimd.Float32x8 // s: columns 0 to 7, t: 8 to 15
	b = b[:len(a)]
	for p := range a {
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
	for j := from; j < to; j += 4 {
		y := y[j*m : (j+4)*m]
		base := i*at.row + j/16*at.panel
		dotsRowAVX2((*[4]float32)(out[base][j&12:]), x0, y, m)
		dotsRowAVX2((*[4]float32)(out[base+at.row][j&12:]), x1, y, m)
	}
	archsimd.ClearAVXUpperBits()
}

// dotsRowAVX2 leaves the upper bits to its caller.
func dotsRowAVX2(out *[4]float32, x, y []lane, m int) {
	y0, y1, y2, y3 := y[:m], y[m:2*m], y[2*m:3*m], y[3*m:]
	y0, y1, y2, y3 = y0[:len(x)], y1[:len(x)], y2[:len(x)], y3[:len(x)]
	var s0, s1, s2, s3, t0, t1, t2, t3 archsimd.Float32x8
	for l := range x {
		a, b := archsimd.LoadFloat32x8(low(&x[l])), archsimd.LoadFloat32x8(high(&x[l]))
		s0 = archsimd.LoadFloat32x8(low(&y0[l])).MulAdd(a, s0)
		t0 = archsimd.LoadFloat32x8(high(&y0[l])).MulAdd(b, t0)
		s1 = archsimd.LoadFloat32x8(low(&y1[l])).MulAdd(a, s1)
		t1 = archsimd.LoadFloat32x8(high(&y1[l])).MulAdd(b, t1)
		s2 = archsimd.LoadFloat32x8(low(&y2[l])).MulAdd(a, s2)
		t2 = archsimd.LoadFloat32x8(high(&y2[l])).MulAdd(b, t2)
		s3 = archsimd.LoadFloat32x8(low(&y3[l])).MulAdd(a, s3)
		t3 = archsimd.LoadFloat32x8(high(&y3[l])).MulAdd(b, t3)
	}
	fold(s0.Add(t0), s1.Add(t1), s2.Add(t2), s3.Add(t3)).Store(out)
}
