package ials

// lane is 16 components, one AVX-512 register. Rows are padded to whole lanes with zeros.
type lane = [16]float32

// lanes is how many lanes hold n components.
func lanes(n int) int { return (n + 15) / 16 }

// kernels are the inner loops. Every set computes the same sums. The sets for AVX-512 and AVX2 add
// in the same order, so their results are the same bits. The pure Go set has no fused multiply-add,
// so its results differ by rounding. Arguments must not overlap, except where a comment allows it,
// and are not kept.
type kernels struct {
	name string
	// tile adds aᵀ·b to, or subtracts it from, 4 rows of 16 columns: c[r] ± Σ_p a[p][o+r]·b[p] for p <
	// len(a). o is 0, 4, 8 or 12.
	tile func(c, a []lane, o int, b []lane, subtract bool)
	// tile2 is tile on two panels of columns at once.
	tile2 func(c0, c1, a []lane, o int, b0, b1 []lane, subtract bool)
	// dots sets out's row i+r, for both rows r of x, at the columns from ≤ j < to, to its inner
	// products with the rows j of y, all rows of m lanes. from and to are multiples of 4. Column j of
	// row i is component j%16 of lane i·at.row + j/16·at.panel.
	dots func(out []lane, at layout, i int, x, y []lane, m, from, to int)
	// scale sets lane l·stride of dst to f·src∘w; w nil is all ones. It pads with zeros.
	scale func(dst []lane, stride int, src []float32, w []lane, f float32)
	// combine adds Σ_p f[p]·rows[p] to dst, rows being contiguous and as long as dst.
	combine func(dst, rows []lane, f []float32)
	// columns sets out[p] to ⟨rows[p], x⟩ for 16 rows of one lane.
	columns func(out *lane, rows []lane, x *lane)
	// finish multiplies 4 rows by the lower triangle l, in count panels that lie stride apart: u[r] =
	// Σ_{s ≤ r} l[4r+s]·u[s].
	finish func(u []lane, stride, count int, l *lane)
	// settle sets dst to src∘w without its padding, negligible values to zero; w nil is all ones.
	// False when a value is not finite.
	settle func(dst []float32, src, w []lane) bool
	// estimate sets c0 and c1, four queries from o on of two panels, to the sums of products of their bytes:
	// those of a query are −63 to 63, those of a panel 0 to 127. a and the panels have an even number of quads.
	estimate func(c0, c1, a []sums, o int, b0, b1 []panel)
	// above sets bit k of masks[i] where component k of sums[16·i], less base and times scale[i], exceeds floor.
	above func(masks []uint16, out []sums, scale []lane, base int32, floor float32)
	// dot is the inner product of two rows.
	dot func(x, y []float32) float32

	dot64 func(x, y []float64) float64
	// dots64 sets to0 to the inner products of x0 and x1 with y0, and to1 to those with y1: the bits of dot64.
	dots64 func(to0, to1 *[2]float64, x0, x1, y0, y1 []float64)
	// mixed is ⟨x, y⟩ over len(x) components in double precision.
	mixed func(x []float64, y []float32) float64
	// axpy64 adds f·x to y.
	axpy64 func(f float64, x, y []float64)
	// rotate64 sets x, y to c·x − s·y, s·x + c·y.
	rotate64 func(c, s float64, x, y []float64)
}

// layout says where in a slice of lanes a row's columns are.
type layout struct{ row, panel int }

// Kernel names the inner loops that this program runs on this machine: "avx" (AVX-512 and AVX2, the
// same bits), or "go-" and the architecture. Models of different kernels agree to rounding, not to
// the bit.
func Kernel() string { return chooseKernels().name }
