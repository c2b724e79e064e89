package ials

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// longTail is a matrix whose rows have 1 to longest cells of random weight, most of them few, and
// whose columns have a long tail too.
func longTail(rows, cols, longest int) *Matrix {
	rng := rand.New(rand.NewPCG(11, uint64(rows)))
	m := &Matrix{Rows: rows, Cols: cols, Start: []int{0}}
	for range rows {
		k := 1 + int(float64(longest-1)*math.Pow(rng.Float64(), 4))
		seen := map[int32]bool{}
		for len(seen) < k {
			seen[int32(float64(cols)*math.Pow(rng.Float64(), 2))] = true
		}
		cells := make([]int32, 0, k)
		for c := range seen {
			cells = append(cells, c)
		}
		slices.Sort(cells)
		for _, c := range cells {
			m.Col, m.Weight = append(m.Col, c), append(m.Weight, 0.5+float32(c%5))
		}
		m.Start = append(m.Start, len(m.Col))
	}
	return m
}

// exact solves a row's equations in double precision, straight from their definition.
func exact(m *Matrix, r int, fixed []float32, cfg Config) []float64 {
	d := cfg.Dim
	a, b := make([]float64, d*d), make([]float64, d)
	add := func(v []float32, w float64) {
		for i := range d {
			for j := range d {
				a[i*d+j] += w * float64(v[i]) * float64(v[j])
			}
		}
	}
	for c := range m.Cols {
		add(fixed[c*d:(c+1)*d], cfg.Alpha0)
	}
	cols, weights := m.Row(r)
	for i, c := range cols {
		v := fixed[int(c)*d : (int(c)+1)*d]
		add(v, float64(weights[i]))
		for j, x := range v {
			b[j] += float64(weights[i]) * float64(x)
		}
	}
	for i := range d {
		a[i*d+i] += Regularisation(cfg.Lambda, cfg.Alpha0, cfg.Nu, len(cols), m.Cols)
	}
	if !factor(a, d) {
		return nil
	}
	solve(a, d, b)
	return b
}

// TestSolveIsExact compares rows solved k × k and rows solved d × d, with a basis and without, with
// the definition.
func TestSolveIsExact(t *testing.T) {
	t.Parallel()
	m := longTail(1500, 300, 120)
	for _, k := range allKernels() {
		for _, d := range []int{1, 3, 16, 20, 48, 70} {
			cfg := config(d)
			cfg.Nu, cfg.Lambda = 0.7, 0.02
			fixed := random32(rand.New(rand.NewPCG(1, uint64(d))), m.Cols*d)
			for i := range fixed {
				fixed[i] *= 0.3
			}
			s, out := newSweep(k, cfg), make([]float32, m.Rows*d)
			rotated := s.prepare(m, fixed)
			if want := d >= 3; rotated != want {
				t.Fatalf("d = %d: rotated is %v", d, rotated)
			}
			turned := slices.Clone(fixed)
			if rotated {
				s.rotate(turned, s.basis)
			}
			if err := s.run(t.Context(), turned, out); err != nil {
				t.Fatal(err)
			}
			if rotated {
				s.rotate(out, s.transposedBasis())
			}
			for r := 0; r < m.Rows; r += 7 {
				for i, want := range exact(m, r, fixed, cfg) {
					if got := float64(out[r*d+i]); math.Abs(got-want) > 1e-4 {
						t.Fatalf("%s, d = %d, row %d of %d cells: component %d is %g, want %g", k.name, d, r,
							m.Start[r+1]-m.Start[r], i, got, want)
					}
				}
			}
		}
	}
}

// TestFitAgreesAcrossKernels says that training ends at the same model, and with AVX2 and AVX-512
// at the same bits.
func TestFitAgreesAcrossKernels(t *testing.T) {
	t.Parallel()
	m := longTail(1200, 400, 60)
	cfg := config(24)
	cfg.Lambda = 0.05
	models := map[string]*Model{}
	var loss float64
	for _, k := range allKernels() {
		model, err := fit(t.Context(), k, m, cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := model.Loss(m, cfg); loss != 0 && math.Abs(got/loss-1) > 1e-4 {
			t.Fatalf("%s ends at loss %g, others at %g", k.name, got, loss)
		} else {
			loss = got
		}
		if old := models[k.name]; old != nil &&
			(!slices.Equal(old.Users, model.Users) || !slices.Equal(old.Items, model.Items)) {
			t.Fatalf("two sets called %s give different bits", k.name)
		}
		models[k.name] = model
	}
}

func TestRotatedFitDoesNotDependOnThreads(t *testing.T) {
	t.Parallel()
	m := longTail(2000, 500, 50)
	cfg := config(32)
	cfg.Threads = 1
	want := mustFit(t, m, cfg)
	for _, threads := range []int{2, 5} {
		cfg.Threads = threads
		if got := mustFit(t, m, cfg); !slices.Equal(got.Users, want.Users) || !slices.Equal(got.Items, want.Items) {
			t.Fatalf("%d threads give other bits than one", threads)
		}
	}
}

// TestMemoryHolds says that Fit allocates no more in all than Memory says it holds, whatever the
// number of epochs.
func TestMemoryHolds(t *testing.T) {
	m := longTail(6000, 2000, 60)
	for _, d := range []int{16, 70} {
		cfg := config(d)
		cfg.Epochs, cfg.Threads = 2, 3
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mustFit(t, m, cfg)
		runtime.ReadMemStats(&after)
		matrix := int64(8 * len(m.Col)) // the caller's, which Memory includes
		took, said := int64(after.TotalAlloc-before.TotalAlloc)+matrix, Memory(m.Rows, m.Cols, len(m.Col), d, cfg.Threads)
		if took > said || took < said/2 {
			t.Errorf("d = %d: took %d bytes, said %d", d, took, said)
		}
	}
}
