package ials

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func random32(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func random64(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func randomLanes(rng *rand.Rand, n int) []lane {
	x := make([]lane, n)
	for i := range x {
		copy(x[i][:], random32(rng, 16))
	}
	return x
}

func flat(x []lane) []float32 {
	var all []float32
	for i := range x {
		all = append(all, x[i][:]...)
	}
	return all
}

// runKernels calls every kernel on the same random input and returns what they wrote, by name.
func runKernels(k *kernels, seed uint64, n int) map[string][]float32 {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	got := map[string][]float32{}
	for o := 0; o < 16; o += 4 {
		for _, subtract := range []bool{false, true} {
			c, a, b := randomLanes(rng, 8), randomLanes(rng, n), randomLanes(rng, 2*n)
			k.tile(c[:4], a, o, b[:n], subtract)
			got[fmt.Sprint("tile ", o, subtract)] = flat(c)
			k.tile2(c[:4], c[4:], a, o, b[:n], b[n:], subtract)
			got[fmt.Sprint("tile2 ", o, subtract)] = flat(c)
		}
	}
	out := make([]lane, 2*3) // two rows of 48 columns, by panels
	k.dots(out, layout{row: 1, panel: 2}, 0, randomLanes(rng, 2*n), randomLanes(rng, 40*n), n, 4, 40)
	got["dots"] = flat(out)
	d := 16*n - 5
	src, w := random32(rng, d), randomLanes(rng, n)
	scaled := make([]lane, 3*n)
	k.scale(scaled, 3, src, w, 0.5)
	k.scale(scaled[1:], 3, src, nil, 2)
	got["scale"] = flat(scaled)
	dst := randomLanes(rng, n)
	k.combine(dst, randomLanes(rng, 7*n), random32(rng, 7))
	got["combine"] = flat(dst)
	var columns lane
	k.columns(&columns, randomLanes(rng, 16), &dst[0])
	got["columns"] = columns[:]
	rows, l := randomLanes(rng, 5*n), randomLanes(rng, 1)
	k.finish(rows, 5, n, &l[0])
	got["finish"] = flat(rows)
	settled := make([]float32, d)
	for i := range dst {
		dst[i][3] = 1e-19
	}
	if !k.settle(settled, dst, nil) {
		settled[0] = 99
	}
	got["settle"] = settled
	weighted := make([]float32, d)
	if !k.settle(weighted, dst, w) {
		weighted[0] = 99
	}
	got["settle weighted"] = weighted
	x, y := random64(rng, d), random64(rng, d)
	got["dot64"] = []float32{float32(k.dot64(x, y))}
	got["mixed"] = []float32{float32(k.mixed(x, src))}
	u, v := random64(rng, d), random64(rng, d)
	var ofY, ofV [2]float64
	k.dots64(&ofY, &ofV, x, u, y, v)
	if ofY != [2]float64{k.dot64(x, y), k.dot64(u, y)} || ofV != [2]float64{k.dot64(x, v), k.dot64(u, v)} {
		ofY[0] = 99
	}
	got["dots64"] = []float32{float32(ofY[0]), float32(ofY[1]), float32(ofV[0]), float32(ofV[1])}
	k.axpy64(0.3, x, y)
	k.rotate64(0.6, 0.8, x, y)
	for i := range x {
		got["rotate64"] = append(got["rotate64"], float32(x[i]), float32(y[i]))
	}
	return got
}

func TestKernelsAgree(t *testing.T) {
	t.Parallel()
	var vector *kernels // the first set that is not pure Go: others must give its bits
	for _, k := range allKernels()[1:] {
		for n := 1; n < 20; n += 3 {
			want, got := runKernels(goKernels(), 1, n), runKernels(k, 1, n)
			for name, w := range want {
				for i, x := range got[name] {
					if math.Abs(float64(x-w[i])) > 1e-4*(1+math.Abs(float64(w[i]))) {
						t.Fatalf("%s, %d lanes: value %d is %g with vectors, %g in pure Go", name, n, i, x, w[i])
					}
				}
			}
			if vector == nil {
				continue
			}
			for name, w := range runKernels(vector, 1, n) {
				if !slices.Equal(got[name], w) {
					t.Fatalf("%s, %d lanes: AVX2 and AVX-512 differ", name, n)
				}
			}
		}
		vector = k
	}
}

func TestSettleSeesWhatIsNotFinite(t *testing.T) {
	t.Parallel()
	for _, k := range allKernels() {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for at := range 40 {
				x := make([]lane, 3)
				x[at/16][at%16] = float32(bad)
				if k.settle(make([]float32, 40), x, nil) {
					t.Fatalf("%s: %g at %d passes", k.name, bad, at)
				}
			}
		}
	}
}

func TestEigen(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	matrix := func(d, rank int, diagonal float64) []float64 {
		a := make([]float64, d*d)
		for i := range d {
			a[i*d+i] = diagonal
		}
		for range rank {
			v := random64(rng, d)
			for i := range d {
				axpy(v[i], v, a[i*d:(i+1)*d])
			}
		}
		return a
	}
	tests := map[string]struct {
		a []float64
		d int
	}{
		"one":              {[]float64{5}, 1},
		"two":              {[]float64{1, 2, 2, 1}, 2},
		"three":            {matrix(3, 3, 0), 3},
		"zero":             {make([]float64, 49), 7},
		"repeated values":  {matrix(20, 0, 3), 20},
		"rank one":         {matrix(33, 1, 0), 33},
		"nearly rank five": {matrix(64, 5, 1e-9), 64},
		"full":             {matrix(130, 200, 0), 130},
	}
	for name, test := range tests {
		for _, k := range allKernels() {
			d := test.d
			a, vectors := slices.Clone(test.a), make([]float64, d*d)
			values, ok := eigen(k, a, vectors, d)
			if !ok {
				t.Fatalf("%s, %s: no convergence", name, k.name)
			}
			size := 1e-30
			for _, v := range values {
				size = max(size, math.Abs(v))
			}
			for i := range d {
				v := vectors[i*d : (i+1)*d]
				for r := range d {
					if off := dot(test.a[r*d:(r+1)*d], v) - values[i]*v[r]; math.Abs(off) > 1e-11*size {
						t.Fatalf("%s, %s: vector %d is none: A·v − λ·v is %g at %d", name, k.name, i, off, r)
					}
				}
				for j := range i + 1 {
					want := 0.0
					if i == j {
						want = 1
					}
					if got := dot(v, vectors[j*d:(j+1)*d]); math.Abs(got-want) > 1e-12 {
						t.Fatalf("%s, %s: ⟨v%d, v%d⟩ is %g", name, k.name, i, j, got)
					}
				}
			}
		}
	}
	nan := []float64{1, math.NaN(), math.NaN(), 1}
	if _, ok := eigen(goKernels(), nan, make([]float64, 4), 2); ok {
		t.Fatal("NaN has eigenvalues")
	}
}

func TestTriangleSolves(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for _, k := range allKernels() {
		for _, n := range []int{1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 48, 64, 100, 130} {
			tri := &triangle{}
			tri.resize(150) // leftovers of a larger one must not show
			for i := range tri.u {
				copy(tri.u[i][:], random32(rng, 16))
			}
			tri.resize(n)
			m, count := lanes(n), n+7
			panels := make([]lane, m*count)
			a := make([]float64, n*n)
			for i := range n {
				a[i*n+i] = 1
				*tri.at(i, i) = 1
			}
			for p := range count {
				v := random32(rng, n)
				k.scale(panels[p:], count, v, nil, 1)
				for i := range n {
					for j := range n {
						a[i*n+j] += float64(v[i]) * float64(v[j])
					}
				}
			}
			tri.gram(k, panels, count, count)
			want := random64(rng, n)
			b, x := make([]float32, n), make([]lane, m)
			for i := range n {
				b[i] = float32(dot(a[i*n:(i+1)*n], want))
			}
			k.scale(x, 1, b, nil, 1)
			if !tri.factor(k) {
				t.Fatalf("%s, %d rows: no factor", k.name, n)
			}
			tri.solve(k, x)
			for i := range n {
				if math.Abs(float64(x[i/16][i%16])-want[i]) > 2e-3 {
					t.Fatalf("%s, %d rows: component %d is %g, want %g", k.name, n, i, x[i/16][i%16], want[i])
				}
			}
			for i := n; i < 16*m; i++ {
				if x[i/16][i%16] != 0 {
					t.Fatalf("%s, %d rows: padding became %g", k.name, n, x[i/16][i%16])
				}
			}
		}
	}
}

func TestTriangleRefusesWhatIsNotPositive(t *testing.T) {
	t.Parallel()
	for _, k := range allKernels() {
		for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
			tri := &triangle{}
			tri.resize(20)
			for i := range 20 {
				*tri.at(i, i) = 1
			}
			*tri.at(18, 18) = float32(bad)
			if tri.factor(k) {
				t.Fatalf("%s: a pivot of %g passes", k.name, bad)
			}
		}
	}
}

// BenchmarkTile2 is the inner loop that long rows spend their time in, on one core: 4 × 32 sums
// over 128 vectors.
func BenchmarkTile2(b *testing.B) {
	for i, k := range allKernels() {
		b.Run(fmt.Sprint(i, " ", k.name), func(b *testing.B) {
			const n = chunk
			rng := rand.New(rand.NewPCG(1, 1))
			c, a, x := make([]lane, 8), randomLanes(rng, n), randomLanes(rng, 2*n)
			for b.Loop() {
				k.tile2(c[:4], c[4:], a, 4, x[:n], x[n:], false)
			}
			b.ReportMetric(2*4*32*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
		})
	}
}

// BenchmarkDots is the inner loop of short rows: k × k products of rows of d = 128.
func BenchmarkDots(b *testing.B) {
	for i, k := range allKernels() {
		b.Run(fmt.Sprint(i, " ", k.name), func(b *testing.B) {
			const m, n = 8, 48
			x := randomLanes(rand.New(rand.NewPCG(1, 1)), n*m)
			out := make([]lane, n*lanes(n))
			for b.Loop() {
				for i := 0; i < n; i += 2 {
					k.dots(out, layout{row: 1, panel: n}, i, x[i*m:(i+2)*m], x, m, 0, n)
				}
			}
			b.ReportMetric(2*16*m*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
		})
	}
}
