package recommend

import (
	"cmp"
	"slices"

	"kindred/internal/model/modelversion"
)

// because explains why a product is recommended: it names the product of the session that
// contributes most to the product's score, or "" if none contributes anything. The contributions
// are exact: what the product adds to the query's inner product (ials.Query.Contributions), and what
// it adds as a neighbour.
func (s *session) because(vector []float32, item int32) string {
	var room [SessionItems]float32
	_, each := s.query.Contributions(vector, room[:0])
	code, most := "", float32(0)
	for i, x := range each {
		if x += s.nearWeight * weightOf(s.near[i], item); x > most {
			code, most = s.folded[i], x
		}
	}
	return code
}

// weightOf is what a list says of an item, 0 if nothing.
func weightOf(list []modelversion.Neighbour, item int32) float32 {
	at, ok := slices.BinarySearchFunc(list, item, func(n modelversion.Neighbour, item int32) int {
		return cmp.Compare(n.Item, item)
	})
	if !ok {
		return 0
	}
	return list[at].Weight
}

// add sums lists up, each times its weight, in ascending order of the items.
func add(lists [][]modelversion.Neighbour, weights []float32) []modelversion.Neighbour {
	sum := map[int32]float32{}
	for i, list := range lists {
		if weights[i] == 0 {
			continue
		}
		for _, n := range list {
			sum[n.Item] += weights[i] * n.Weight
		}
	}
	all := make([]modelversion.Neighbour, 0, len(sum))
	for item, weight := range sum {
		all = append(all, modelversion.Neighbour{Item: item, Weight: weight})
	}
	slices.SortFunc(all, func(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) })
	return all
}
