package together_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"kindred/internal/model/modelversion"
	"kindred/internal/model/together"

	"pgregory.net/rapid"
)

// TestListsAreTheLifts compares with counting every pair.
func TestListsAreTheLifts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const products = 8
		baskets := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.Int32Range(0, products-1), 0, 5, rapid.ID), 0, 60).
			Draw(rt, "baskets")
		total := 0.0
		for _, b := range baskets {
			if len(b) > 0 {
				total++
			}
		}
		with := func(all ...int32) (n float64) {
			for _, b := range baskets {
				if !slices.ContainsFunc(all, func(p int32) bool { return !slices.Contains(b, p) }) {
					n++
				}
			}
			return n
		}
		lists := together.Lists(baskets, products)
		for a := range int32(products) {
			var want []modelversion.Neighbour
			for b := range int32(products) {
				lift := (with(a, b) + 5) / (with(a)*with(b)/total + 5)
				if a != b && with(a, b) >= 3 && lift > 1 {
					want = append(want, modelversion.Neighbour{Item: b, Weight: float32(lift)})
				}
			}
			var got []modelversion.Neighbour
			if lists != nil {
				got = lists[a]
			}
			if !slices.EqualFunc(got, want, func(x, y modelversion.Neighbour) bool {
				return x.Item == y.Item && math.Abs(float64(x.Weight-y.Weight)) < 1e-5
			}) {
				rt.Fatalf("product %d: %v, want %v", a, got, want)
			}
		}
	})
}

// TestComplementsAreFoundAboveCosine plants a shop in which customers choose among products of one kind, and buy
// with some products a complement of another kind. The best five of bought-together hold at least 9 of 10
// complements; those by the cosine of who bought what, at most 7 of 10.
func TestComplementsAreFoundAboveCosine(t *testing.T) {
	t.Parallel()
	const kinds, each, customers, visits = 20, 15, 1500, 12
	const products = kinds * each
	rng := rand.New(rand.NewPCG(19, 3))
	complement := rng.Perm(products) // of each product, most often of another kind
	var baskets [][]int32
	who := make([]map[int]float64, products) // how often each customer bought it
	for p := range who {
		who[p] = map[int]float64{}
	}
	for c := range customers {
		likes := []int{rng.IntN(kinds), rng.IntN(kinds)}
		for range visits {
			p := likes[rng.IntN(2)]*each + rng.IntN(each)
			basket := map[int]bool{p: true}
			if rng.IntN(10) < 3 {
				basket[complement[p]] = true
			}
			for rng.IntN(2) == 0 { // what does not belong together
				basket[rng.IntN(products)] = true
			}
			var b []int32
			for p := range basket {
				b = append(b, int32(p))
				who[p][c]++
			}
			baskets = append(baskets, b)
		}
	}
	cosine := func(a, b int) (sum float64) {
		var x, y float64
		for c, n := range who[a] {
			x, sum = x+n*n, sum+n*who[b][c]
		}
		for _, n := range who[b] {
			y += n * n
		}
		return sum / math.Sqrt(x*y)
	}
	byCosine := func(a int) []modelversion.Neighbour {
		var all []modelversion.Neighbour
		for b := range products {
			if b != a {
				all = append(all, modelversion.Neighbour{Item: int32(b), Weight: float32(cosine(a, b))})
			}
		}
		return all
	}
	lists := together.Lists(baskets, products)
	found, foundByCosine := 0, 0
	for p, other := range complement {
		if among(lists[p], other) {
			found++
		}
		if among(byCosine(p), other) {
			foundByCosine++
		}
	}
	t.Logf("of %d complements, bought-together has %d among the best 5, and the cosine %d", products, found, foundByCosine)
	if found*10 < products*9 || foundByCosine*10 > products*7 {
		t.Errorf("of %d complements, bought-together finds %d and the cosine %d", products, found, foundByCosine)
	}
}

// among says whether a product is among the five with the largest weights.
func among(list []modelversion.Neighbour, product int) bool {
	better, weight := 0, float32(0)
	for _, n := range list {
		if int(n.Item) == product {
			weight = n.Weight
		}
	}
	for _, n := range list {
		if n.Weight > weight {
			better++
		}
	}
	return weight > 0 && better < 5
}
