package ials

import "math"

// PanelRows is how many rows of vectors a panel has.
const PanelRows = 16

// Vectors holds the vectors of products twice: exactly, and rounded to seven bits a component. Inner products
// with the rounded ones are estimates that take half the time or less; how far they may be off is known, so that
// a search reads exactly only what may be among its best (filter and refine, as VA-files do: Weber et al. 1998).
// They take five bytes a component. Reading is safe for concurrent use.
type Vectors struct {
	kernels *kernels
	dim     int
	exact   []float32 // row by row
	rounded []panel   // of pair of panels p the quads are at p·2·quads(dim), those of the one before those of the other
	scale   []lane    // what a unit of each row's rounded components is, by panel
}

// panel is a quad of components of 16 rows: the bytes 4i to 4i+3 are those of row i. A component is 64 more than
// the multiple of the row's scale that it is nearest to: 1 to 127.
type panel = [4 * PanelRows]uint8

// sums are estimates of 16 rows, as multiples of their scales, and of the query's.
type sums = [PanelRows]int32

// levels is the largest multiple of a scale.
const levels = 63

// quads is how many quads hold n components. They are even.
func quads(n int) int { return (n + 7) / 8 * 2 }

// NewVectors makes room for n vectors of dim components, all zero.
func NewVectors(n, dim int) *Vectors {
	pairs := (n + 2*PanelRows - 1) / (2 * PanelRows)
	v := &Vectors{chooseKernels(), dim, make([]float32, n*dim), make([]panel, pairs*2*quads(dim)), make([]lane, 2*pairs)}
	for i := range v.rounded {
		for k := range v.rounded[i] {
			v.rounded[i][k] = levels + 1
		}
	}
	return v
}

// VectorBytes is what a vector of dim components takes.
func VectorBytes(dim int) int64 { return int64(4*dim + 4*quads(dim) + 4) }

// Len is the number of panels. It is even.
func (v *Vectors) Len() int { return len(v.scale) }

// At is vector i, to read, or to write before Round.
func (v *Vectors) At(i int) []float32 { return v.exact[i*v.dim : (i+1)*v.dim : (i+1)*v.dim] }

// Round rounds vector i after it was written. off is the length of what rounding took from it.
func (v *Vectors) Round(i int) (off float64) {
	row, p := i%PanelRows, i/PanelRows
	scale, off := round(v.At(i), func(c int, level int32) {
		v.panel(p)[c/4][4*row+c%4] = uint8(level + levels + 1)
	})
	v.scale[p][row] = scale
	return off
}

// round gives each component of a vector as a level, −63 to 63, times the scale. off is the length of the
// difference.
func round(vector []float32, set func(c int, level int32)) (scale float32, off float64) {
	largest := float32(0)
	for _, x := range vector {
		largest = max(largest, x, -x)
	}
	scale = largest / levels
	sum := 0.0
	for c, x := range vector {
		level := 0.0
		if scale > 0 {
			level = max(-levels, min(levels, math.Round(float64(x)/float64(scale))))
		}
		set(c, int32(level))
		d := float64(x) - level*float64(scale)
		sum += d * d
	}
	return scale, math.Sqrt(sum)
}

func (v *Vectors) panel(i int) []panel {
	q := quads(v.dim)
	return v.rounded[i*q : (i+1)*q]
}

// Product is the inner product of a vector with vector i.
func (v *Vectors) Product(vector []float32, i int) float32 {
	return v.kernels.dot(vector[:v.dim], v.At(i))
}

// Queries are vectors that are compared with others, in groups of 16.
type Queries struct {
	dim     int
	rounded []sums // of group g the quad c is at g·quads(dim) + c: a query's four components are the bytes of its number
	each    []asked
}

// asked is what is known of a query.
type asked struct {
	scale       float32
	base        int32 // what the sums are too large by, because the products' components are above zero
	length, off float64
}

// NewQueries makes room for n queries of dim components.
func NewQueries(n, dim int) *Queries {
	groups := (n + PanelRows - 1) / PanelRows
	return &Queries{dim, make([]sums, groups*quads(dim)), make([]asked, groups*PanelRows)}
}

// Set writes query i, which has dim components.
func (q *Queries) Set(i int, vector []float32) {
	group, a := q.rounded[i/PanelRows*quads(q.dim):], &q.each[i]
	*a = asked{}
	squares := 0.0
	for _, x := range vector {
		squares += float64(x) * float64(x)
	}
	a.length = math.Sqrt(squares)
	a.scale, a.off = round(vector, func(c int, level int32) {
		shift := 8 * (c % 4)
		word := &group[c/4][i%PanelRows]
		*word = *word&^(0xff<<shift) | level&0xff<<shift
		a.base += (levels + 1) * level
	})
	if a.scale == 0 {
		a.scale = 1 // for estimates to divide by
	}
}

// rounding is what each step of a sum may be off by, as a share, with room to spare.
const rounding = 1.0 / (1 << 22)

// Reach is by how much the estimate of query i may be off from what Product computes, for vectors that are no
// longer than longest and that rounding took at most off from.
func (q *Queries) Reach(i int, longest, off float64) float64 {
	a := &q.each[i]
	return (a.length*off + a.off*(longest+off) + a.length*longest*rounding*float64(q.dim+8)) * (1 + rounding)
}

// Estimates sets out to estimates of the inner products of some queries of a group, those whose bits are set in
// which, with the vectors of the panels from ≤ i < to, both even: those of query q with panel i are
// out[(i-from)·16 + q]. What is in out of other queries is undefined. It runs in the caller's goroutine.
func (v *Vectors) Estimates(queries *Queries, group int, which uint16, from, to int, out [][PanelRows]int32) {
	n := quads(v.dim)
	a := queries.rounded[group*n : (group+1)*n]
	for i := from; i < to; i += 2 {
		c := out[(i-from)*PanelRows:]
		for o := 0; o < PanelRows; o += 4 {
			if which>>o&15 != 0 {
				v.kernels.estimate(c[o:], c[PanelRows+o:], a, o, v.panel(i), v.panel(i+1))
			}
		}
	}
}

// Estimate is the score that a sum of query i estimates: scale is that of the vector.
func (q *Queries) Estimate(i int, sum int32, scale float32) float64 {
	a := &q.each[i]
	return float64(sum-a.base) * float64(scale) * float64(a.scale)
}

// Scales are those of the vectors, by panel, to read.
func (v *Vectors) Scales() [][PanelRows]float32 { return v.scale }

// Above looks at the sums of query i, as Estimates has set them, from its first one on: bit k of masks[p] tells
// whether the estimate of vector k of panel p may exceed the floor. scale are those of the vectors. NaN exceeds
// nothing.
func (v *Vectors) Above(queries *Queries, i int, masks []uint16, out [][PanelRows]int32, scale [][PanelRows]float32,
	floor float64) {
	a := &queries.each[i]
	floor /= float64(a.scale)
	floor -= math.Abs(floor)*rounding + math.SmallestNonzeroFloat32
	v.kernels.above(masks, out, scale, a.base, float32(max(floor, -math.MaxFloat32)))
}
