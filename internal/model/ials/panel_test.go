package ials

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Products are the inner products, whatever the sizes, with every set of kernels.
func TestProducts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(1, 70).Draw(t, "items"), rapid.IntRange(1, PanelRows).Draw(t, "queries")
		d, seed := rapid.IntRange(1, 40).Draw(t, "components"), rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		rows := func(n int) (*Panels, [][]float32) {
			p, all := NewPanels(n, d), make([][]float32, n)
			for i := range all {
				for range d {
					all[i] = append(all[i], rng.Float32()-0.5)
				}
				p.Set(i, all[i])
			}
			return p, all
		}
		items, x := rows(n)
		queries, y := rows(m)
		from := rapid.IntRange(0, items.Len()-1).Draw(t, "from")
		to := rapid.IntRange(from+1, items.Len()).Draw(t, "to")
		which := rapid.Uint16().Draw(t, "which")
		for _, k := range []*kernels{chooseKernels(), goKernels()} {
			items.kernels = k
			out := make([][PanelRows]float32, (to-from)*PanelRows)
			for i := range out {
				out[i][0] = 7 // of an earlier call
			}
			items.Products(queries, 0, which, from, to, out)
			for q := range m {
				if which>>q&1 == 0 {
					continue
				}
				for i := from * PanelRows; i < min(to*PanelRows, n); i++ {
					got := out[(i/PanelRows-from)*PanelRows+q][i%PanelRows]
					if want := dot(y[q], x[i]); math.Abs(float64(got-want)) > 1e-5 {
						t.Fatalf("%s: query %d, item %d: %g, want %g", k.name, q, i, got, want)
					}
				}
			}
		}
		if i := rapid.IntRange(0, n-1).Draw(t, "read"); dot(items.AppendVector(nil, i), x[i]) != dot(x[i], x[i]) {
			t.Fatalf("vector %d is %v, want %v", i, items.AppendVector(nil, i), x[i])
		}
	})
}

// Above finds what exceeds the floor, with every set of kernels.
func TestAbove(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n, scaled := rapid.IntRange(0, 9).Draw(t, "panels"), rapid.Bool().Draw(t, "scaled")
		floor := []float32{float32(math.Inf(-1)), -1, 0, 1}[rng.IntN(4)]
		value := func() float32 {
			return []float32{float32(math.NaN()), -2, -1, 0, 1, 2}[rng.IntN(6)]
		}
		rows, want := make([]lane, n*PanelRows), make([]uint16, n)
		var scale []lane
		if scaled {
			scale = make([]lane, n)
		}
		for i := range n {
			for k := range PanelRows {
				v := value()
				rows[i*PanelRows][k] = v
				if scaled {
					scale[i][k] = value()
					v *= scale[i][k]
				}
				if v > floor {
					want[i] |= 1 << k
				}
			}
		}
		for _, k := range []*kernels{chooseKernels(), goKernels()} {
			masks, own := make([]uint16, n), slices.Clone(rows)
			k.above(masks, own, scale, floor)
			if !slices.Equal(masks, want) {
				t.Fatalf("%s: above %g %b, want %b", k.name, floor, masks, want)
			}
			for i := range n {
				for c, v := range own[i*PanelRows] {
					if scaled && want[i]>>c&1 == 1 && v != rows[i*PanelRows][c]*scale[i][c] {
						t.Fatalf("%s: %g, want %g times %g", k.name, v, rows[i*PanelRows][c], scale[i][c])
					}
				}
			}
		}
	})
}

// BenchmarkProducts tells the inner products' multiplications a second with 16 queries a pass.
func BenchmarkProducts(b *testing.B) {
	for _, test := range []struct {
		name    string
		kernels *kernels
	}{{"fastest", chooseKernels()}, {"go", goKernels()}} {
		b.Run(test.name, func(b *testing.B) {
			const n, d, block = 100_000, 64, 16
			items, queries := NewPanels(n, d), NewPanels(PanelRows, d)
			items.kernels = test.kernels
			out := make([][PanelRows]float32, block*PanelRows)
			for b.Loop() {
				for from := 0; from < items.Len(); from += block {
					items.Products(queries, 0, math.MaxUint16, from, min(from+block, items.Len()), out)
				}
			}
			b.ReportMetric(float64(b.N)*n*d*PanelRows/b.Elapsed().Seconds()/1e9, "Gmul/s")
		})
	}
}
