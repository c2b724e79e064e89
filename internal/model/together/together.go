// Package together finds the products that are bought together, from baskets: which product makes
// another one more likely in the same basket. That is something else than likeness, which finds what
// takes the place of a product. It knows neither files nor how a shop says what a basket is.
package together

import (
	"cmp"
	"slices"

	"kindred/internal/model/modelversion"
)

const (
	// leastBaskets is in how many baskets two products must be together: fewer may be chance.
	leastBaskets = 3
	// shrinkage is how many baskets of both are added to those that there are and to those that chance would
	// make, so that rare pairs need more than a few baskets to be the best.
	shrinkage = 5
	// mostInBasket is the largest basket that counts: larger ones are of resellers, and cost its square.
	mostInBasket = 50
	// Most is how many products a list has at most.
	Most = 50
)

// Lists returns for each product those that are bought together with it more often than by chance, in ascending
// order of their numbers; nil where no product has any. A basket's products are numbers below products, each
// once. The weight is the lift, shrunk: (n + k) / (e + k), where n baskets have both, chance would make e of
// them, and k is 5. It is above 1.
func Lists(baskets [][]int32, products int) [][]modelversion.Neighbour {
	in, total := make([][]int32, products), 0 // the baskets of each product
	for b, basket := range baskets {
		if len(basket) == 0 || len(basket) > mostInBasket {
			continue
		}
		total++
		for _, p := range basket {
			in[p] = append(in[p], int32(b))
		}
	}
	lists, some := make([][]modelversion.Neighbour, products), false
	count := make([]int32, products) // of the baskets with a product, those with each other one
	var met []int32
	for p := range in {
		if len(in[p]) < leastBaskets {
			continue
		}
		met = met[:0]
		for _, b := range in[p] {
			for _, other := range baskets[b] {
				if count[other]++; count[other] == 1 {
					met = append(met, other)
				}
			}
		}
		for _, other := range met {
			both := float64(count[other])
			chance := float64(len(in[p])) * float64(len(in[other])) / float64(total)
			lift := (both + shrinkage) / (chance + shrinkage)
			if count[other] = 0; int(other) != p && both >= leastBaskets && lift > 1 {
				lists[p] = append(lists[p], modelversion.Neighbour{Item: other, Weight: float32(lift)})
			}
		}
		lists[p] = best(lists[p])
		some = some || len(lists[p]) > 0
	}
	if !some {
		return nil
	}
	return lists
}

// best are the Most with the largest weights, in ascending order.
func best(list []modelversion.Neighbour) []modelversion.Neighbour {
	slices.SortFunc(list, func(a, b modelversion.Neighbour) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Item, b.Item))
	})
	list = slices.Clip(list[:min(Most, len(list))])
	slices.SortFunc(list, func(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) })
	return list
}
