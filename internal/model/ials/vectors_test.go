package ials

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawnVector is random, of any magnitude; some are zero.
func drawnVector(t *rapid.T, rng *rand.Rand, dim int) []float32 {
	x := random32(rng, dim)
	size := math.Pow(10, float64(rapid.IntRange(-30, 15).Draw(t, "magnitude")))
	for c := range x {
		if x[c] *= float32(size); rng.IntN(4) == 0 {
			x[c] = 0
		}
	}
	if rng.IntN(10) == 0 {
		clear(x)
	}
	return x
}

// TestEstimates: no estimate is off by more than Reach, and nothing that may exceed a floor is missed, whatever the
// sizes and magnitudes, with every set of kernels.
func TestEstimates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(1, 100).Draw(t, "items"), rapid.IntRange(1, 2*PanelRows).Draw(t, "queries")
		dim, seed := rapid.IntRange(1, 300).Draw(t, "components"), rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		items, queries, asked := NewVectors(n, dim), NewQueries(m, dim), make([][]float32, m)
		longest, off := 0.0, 0.0
		for i := range n {
			x := drawnVector(t, rng, dim)
			copy(items.At(i), x)
			off = max(off, items.Round(i))
			longest = max(longest, math.Sqrt(precise(x, x)))
		}
		for q := range asked {
			asked[q] = drawnVector(t, rng, dim)
			queries.Set(q, random32(rng, dim)) // of an earlier use
			queries.Set(q, asked[q])
		}
		from := 2 * rapid.IntRange(0, items.Len()/2-1).Draw(t, "from")
		to := 2 * rapid.IntRange(from/2+1, items.Len()/2).Draw(t, "to")
		which := rapid.Uint16().Draw(t, "which")
		for _, k := range allKernels() {
			items.kernels = k
			for q := range asked {
				if which>>(q%PanelRows)&1 == 0 {
					continue
				}
				out := make([][PanelRows]int32, (to-from)*PanelRows)
				for i := range out {
					out[i][0] = 7 // of an earlier call
				}
				items.Estimates(queries, q/PanelRows, which, from, to, out)
				reach := queries.Reach(q, longest, off)
				floor := precise(asked[q], items.At(rng.IntN(n)))
				masks := make([]uint16, to-from)
				items.Above(queries, q, masks, out[q%PanelRows:], items.Scales()[from:to], floor-reach)
				for i := from * PanelRows; i < min(to*PanelRows, n); i++ {
					panel, row := i/PanelRows-from, i%PanelRows
					want, got := precise(asked[q], items.At(i)), float64(items.Product(asked[q], i))
					estimate := queries.Estimate(q, out[panel*PanelRows+q%PanelRows][row], items.Scales()[i/PanelRows][row])
					if math.Abs(estimate-want) > reach || math.Abs(estimate-got) > reach+math.SmallestNonzeroFloat32 {
						t.Fatalf("%s: query %d, item %d: %g and %g, want %g; off by %g at most", k.name, q, i, estimate, got,
							want, reach)
					}
					if want > floor && masks[panel]>>row&1 == 0 {
						t.Fatalf("%s: query %d, item %d: %g is missed above %g", k.name, q, i, want, floor)
					}
				}
			}
		}
	})
}

func precise(x, y []float32) (sum float64) {
	for c, v := range x {
		sum += float64(v) * float64(y[c])
	}
	return sum
}

// TestEstimatesAreClose: rounding takes less than 3 % of a vector whose components are alike.
func TestEstimatesAreClose(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	v := NewVectors(1, 128)
	for range 100 {
		for c := range v.At(0) {
			v.At(0)[c] = float32(rng.NormFloat64())
		}
		if off, length := v.Round(0), math.Sqrt(precise(v.At(0), v.At(0))); off > 0.03*length {
			t.Errorf("rounding takes %g of %g", off, length)
		}
	}
}

// TestAbove: every set of kernels finds what exceeds the floor.
func TestAbove(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n, base := rapid.IntRange(0, 9).Draw(t, "panels"), int32(rng.IntN(5))
		floor := []float32{-math.MaxFloat32, -1, 0, 1}[rng.IntN(4)]
		out, scale, want := make([]sums, n*PanelRows), make([]lane, n), make([]uint16, n)
		for i := range n {
			for k := range PanelRows {
				out[i*PanelRows][k] = int32(rng.IntN(5)) - 2 + base
				scale[i][k] = []float32{float32(math.NaN()), 0, 1, 2}[rng.IntN(4)]
				if float32(out[i*PanelRows][k]-base)*scale[i][k] > floor {
					want[i] |= 1 << k
				}
			}
		}
		for _, k := range allKernels() {
			masks := make([]uint16, n)
			k.above(masks, out, scale, base, floor)
			if !slices.Equal(masks, want) {
				t.Fatalf("%s: above %g %b, want %b", k.name, floor, masks, want)
			}
		}
	})
}

// BenchmarkEstimates tells the estimates' multiplications a second with 16 queries a pass.
func BenchmarkEstimates(b *testing.B) {
	for i, k := range allKernels() {
		b.Run(fmt.Sprint(i, " ", k.name), func(b *testing.B) {
			const n, d, block = 100_000, 64, 16
			items, queries := NewVectors(n, d), NewQueries(PanelRows, d)
			items.kernels = k
			out := make([][PanelRows]int32, block*PanelRows)
			for b.Loop() {
				for from := 0; from < items.Len(); from += block {
					items.Estimates(queries, 0, math.MaxUint16, from, min(from+block, items.Len()), out)
				}
			}
			b.ReportMetric(float64(b.N)*n*d*PanelRows/b.Elapsed().Seconds()/1e9, "Gmul/s")
		})
	}
}
