package evaluation

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// TestNeighboursAreSums compares the lists with sums over all pairs of columns.
func TestNeighboursAreSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rows, cols := rapid.IntRange(1, 8).Draw(rt, "rows"), rapid.IntRange(1, 8).Draw(rt, "columns")
		rarity, most := rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(rt, "rarity"), rapid.IntRange(1, 9).Draw(rt, "most")
		full := make([][]float64, rows)
		m := &ials.Matrix{Rows: rows, Cols: cols, Start: []int{0}}
		for r := range rows {
			full[r] = make([]float64, cols)
			for c := range cols {
				if w := float64(rapid.IntRange(0, 2).Draw(rt, "confidence")); w > 0 {
					full[r][c] = w
					m.Col, m.Weight = append(m.Col, int32(c)), append(m.Weight, float32(w))
				}
			}
			m.Start = append(m.Start, len(m.Col))
		}
		column := func(c int) (sum float64) {
			for r := range rows {
				sum += full[r][c]
			}
			return sum
		}
		want := func(p, q int) (sum float64) {
			for r := range rows {
				if total := sumOf(full[r]); total > 0 {
					sum += full[r][p] * full[r][q] / total
				}
			}
			if sum == 0 || p == q {
				return 0
			}
			return sum / (math.Pow(column(p), 1-rarity) * math.Pow(column(q), rarity))
		}
		near := Neighbours(m, most, 2, rarity, 0.3)[0]
		for p := range cols {
			check(rt, near[p], most, func(q int) float64 { return want(p, q) }, cols)
		}
		lists := RowNeighbours(m, near, most, 2, nil)
		for r := range rows {
			check(rt, lists[r], most, func(q int) (sum float64) {
				for p := range cols {
					for _, n := range near[p] {
						if int(n.Item) == q && full[r][q] == 0 {
							sum += full[r][p] * float64(n.Weight)
						}
					}
				}
				return sum
			}, cols)
		}
		if one := RowNeighbours(m, near, most, 1, []int32{0}); !slices.Equal(one[0], lists[0]) || rows > 1 && one[1] != nil {
			rt.Errorf("the list of the first row alone is %v, not %v", one, lists[0])
		}
	})
}

func sumOf(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}

// check wants the largest weights, best first.
func check(t *rapid.T, list []modelversion.Neighbour, most int, want func(q int) float64, n int) {
	var all []float64
	for q := range n {
		if w := want(q); w > 0 {
			all = append(all, w)
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	if len(list) != min(most, len(all)) {
		t.Fatalf("%d neighbours, want %d of %v", len(list), min(most, len(all)), all)
	}
	for i, x := range list {
		if w := want(int(x.Item)); math.Abs(float64(x.Weight)-w) > 1e-5 || math.Abs(all[i]-w) > 1e-5 {
			t.Errorf("neighbour %d is %+v, want weight %g, the place's is %g", i, x, w, all[i])
		}
	}
}
