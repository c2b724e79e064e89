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
	var sum, room []modelversion.Neighbour
	for i, list := range lists {
		if weights[i] != 0 {
			sum, room = merge(room[:0], sum, list, weights[i]), sum
		}
	}
	return sum
}

// merge appends a list, and another one times its weight.
func merge(to, list, other []modelversion.Neighbour, weight float32) []modelversion.Neighbour {
	for _, n := range other {
		for len(list) > 0 && list[0].Item < n.Item {
			to, list = append(to, list[0]), list[1:]
		}
		sum := modelversion.Neighbour{Item: n.Item}
		if len(list) > 0 && list[0].Item == n.Item {
			sum, list = list[0], list[1:]
		}
		sum.Weight += weight * n.Weight
		to = append(to, sum)
	}
	return append(to, list...)
}
