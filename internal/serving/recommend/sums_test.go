package recommend

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/modelversion"
)

// TestSumsAddEachProductOnce compares with a map, for products near each other and far apart. The memory is
// used again.
func TestSumsAddEachProductOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		room := new(sums)
		for range rapid.IntRange(1, 3).Draw(t, "sums") {
			product := rapid.OneOf(rapid.Int32Range(0, 50), rapid.Int32Range(0, 3*window), rapid.Int32Min(0))
			var lists [][]modelversion.Neighbour
			var weights []float32
			want := map[int32]float32{}
			for range rapid.IntRange(0, 6).Draw(t, "lists") {
				var list []modelversion.Neighbour
				weight := rapid.SampledFrom([]float32{0, 0.7, 1}).Draw(t, "weight")
				named := rapid.SliceOfNDistinct(product, 0, 30, rapid.ID[int32]).Draw(t, "named")
				for _, item := range slices.Sorted(slices.Values(named)) {
					n := modelversion.Neighbour{Item: item, Weight: rapid.Float32Range(0, 1).Draw(t, "of it")}
					list = append(list, n)
					if weight != 0 {
						want[item] += weight * n.Weight
					}
				}
				lists, weights = append(lists, list), append(weights, weight)
			}
			got := room.add(lists, weights)
			if len(got) != len(want) {
				t.Fatalf("%d products, want %d", len(got), len(want))
			}
			for i, item := range slices.Sorted(maps.Keys(want)) {
				if got[i] != (modelversion.Neighbour{Item: item, Weight: want[item]}) {
					t.Fatalf("at %d: %v, want %d: %g", i, got[i], item, want[item])
				}
			}
		}
		if *room != (sums{}) {
			t.Fatal("the memory is not all zero")
		}
	})
}
