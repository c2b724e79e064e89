package ials

import "runtime"

// goKernels are the pure Go twin: built everywhere, and what the others are tested against.
func goKernels() *kernels {
	return &kernels{name: "go-" + runtime.GOARCH, tile: goTile, tile2: goTile2, dots: goDots, scale: goScale,
		combine: goCombine,
		columns: goColumns, finish: goFinish, settle: goSettle, estimate: goEstimate, above: goAbove,
		dot: goDot, dot64: dot[float64], dots64: goDots64, mixed: inner, axpy64: axpy[float64],
		rotate64: goRotate64}
}

func goTile(c, a []lane, o int, b []lane, subtract bool) {
	b = b[:len(a)]
	c = c[:4]
	o &= 12
	sign := float32(1)
	if subtract {
		sign = -1
	}
	for j := 0; j < 16; j += 2 { // eight sums: sixteen scalar registers hold these and their operands
		var s00, s01, s10, s11, s20, s21, s30, s31 float32
		for p := range a {
			f, x := &a[p], &b[p]
			x0, x1 := x[j], x[j+1]
			s00 += f[o] * x0
			s01 += f[o] * x1
			s10 += f[o+1] * x0
			s11 += f[o+1] * x1
			s20 += f[o+2] * x0
			s21 += f[o+2] * x1
			s30 += f[o+3] * x0
			s31 += f[o+3] * x1
		}
		c[0][j] += sign * s00
		c[0][j+1] += sign * s01
		c[1][j] += sign * s10
		c[1][j+1] += sign * s11
		c[2][j] += sign * s20
		c[2][j+1] += sign * s21
		c[3][j] += sign * s30
		c[3][j+1] += sign * s31
	}
}

func goTile2(c0, c1, a []lane, o int, b0, b1 []lane, subtract bool) {
	goTile(c0, a, o, b0, subtract)
	goTile(c1, a, o, b1, subtract)
}

func goDots(out []lane, at layout, i int, x, y []lane, m, from, to int) {
	x0, x1 := x[:m], x[m:2*m]
	for j := from; j < to; j += 2 {
		y0, y1 := y[j*m:(j+1)*m], y[(j+1)*m:(j+2)*m]
		var s00, s01, s10, s11, t00, t01, t10, t11 float32
		for l := range x0 {
			a, b, p, q := &x0[l], &x1[l], &y0[l], &y1[l]
			for k := 0; k < 16; k += 2 {
				s00 += a[k] * p[k]
				t00 += a[k+1] * p[k+1]
				s01 += a[k] * q[k]
				t01 += a[k+1] * q[k+1]
				s10 += b[k] * p[k]
				t10 += b[k+1] * p[k+1]
				s11 += b[k] * q[k]
				t11 += b[k+1] * q[k+1]
			}
		}
		r0, r1 := &out[i*at.row+j/16*at.panel], &out[(i+1)*at.row+j/16*at.panel]
		r0[j%16], r0[j%16+1] = s00+t00, s01+t01
		r1[j%16], r1[j%16+1] = s10+t10, s11+t11
	}
}

func goScale(dst []lane, stride int, src []float32, w []lane, f float32) {
	for l := 0; len(src) > 0; l++ {
		d := &dst[l*stride]
		n := min(16, len(src))
		clear(d[n:])
		for k, v := range src[:n] {
			d[k] = f * v
		}
		if w != nil {
			for k, v := range &w[l] {
				d[k] *= v
			}
		}
		src = src[n:]
	}
}

func goCombine(dst, rows []lane, f []float32) {
	m := len(dst)
	for p, v := range f {
		for l, row := 0, rows[p*m:(p+1)*m]; l < len(row); l++ {
			d, x := &dst[l], &row[l]
			for k := range d {
				d[k] += v * x[k]
			}
		}
	}
}

func goColumns(out *lane, rows []lane, x *lane) {
	rows = rows[:16]
	for p := range rows {
		out[p] = dot(rows[p][:], x[:])
	}
}

func goFinish(u []lane, stride, count int, l *lane) {
	for q := range count {
		c := u[q*stride : q*stride+4]
		for k := range 16 {
			x0, x1, x2, x3 := c[0][k], c[1][k], c[2][k], c[3][k]
			c[0][k] = l[0] * x0
			c[1][k] = l[4]*x0 + l[5]*x1
			c[2][k] = l[8]*x0 + l[9]*x1 + l[10]*x2
			c[3][k] = (l[12]*x0 + l[13]*x1) + (l[14]*x2 + l[15]*x3)
		}
	}
}

func goSettle(dst []float32, src, w []lane) bool {
	var sum float32
	for l := 0; len(dst) > 0; l++ {
		x := src[l]
		if w != nil {
			for k, v := range &w[l] {
				x[k] *= v
			}
		}
		for k, v := range &x {
			sum += v - v
			if v < negligible && v > -negligible {
				x[k] = 0
			}
		}
		dst = dst[copy(dst, x[:]):]
	}
	return sum == 0
}

func goEstimate(c0, c1, a []sums, o int, b0, b1 []panel) {
	o &= 12
	for q := o; q < o+4; q++ {
		var s0, s1 sums
		for p := range a {
			word := a[p][q]
			w0, w1, w2, w3 := int32(int8(word)), int32(int8(word>>8)), int32(int8(word>>16)), word>>24
			x, y := &b0[p], &b1[p]
			for i := range s0 {
				s0[i] += w0*int32(x[4*i]) + w1*int32(x[4*i+1]) + w2*int32(x[4*i+2]) + w3*int32(x[4*i+3])
				s1[i] += w0*int32(y[4*i]) + w1*int32(y[4*i+1]) + w2*int32(y[4*i+2]) + w3*int32(y[4*i+3])
			}
		}
		c0[q-o], c1[q-o] = s0, s1
	}
}

func goAbove(masks []uint16, out []sums, scale []lane, base int32, floor float32) {
	for i := range masks {
		mask := uint16(0)
		for k, sum := range out[16*i] {
			if float32(sum-base)*scale[i][k] > floor {
				mask |= 1 << k
			}
		}
		masks[i] = mask
	}
}

func goDot(x, y []float32) (sum float32) {
	y = y[:len(x)]
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

func goDots64(to0, to1 *[2]float64, x0, x1, y0, y1 []float64) {
	*to0, *to1 = [2]float64{dot(x0, y0), dot(x1, y0)}, [2]float64{dot(x0, y1), dot(x1, y1)}
}

func goRotate64(c, s float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		w := y[i]
		x[i], y[i] = c*v-s*w, s*v+c*w
	}
}
