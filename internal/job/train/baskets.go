package train

import (
	"cmp"
	"slices"

	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelversion"
	"kindred/internal/model/together"
	"kindred/internal/shop"
)

// togetherVersion is the same as Version for what is bought together, which every version has.
const togetherVersion = "1"

// line is a product in somebody's basket. Two lines of one basket have the same whose and when.
type line struct {
	whose, when int64
	product     int32
}

// secondsADay and the same in milliseconds.
const (
	secondsADay = 24 * 60 * 60
	millisADay  = 1000 * secondsADay
)

// basketsOfHistory are what was bought in one order; what was bought without an order, by one customer, or in
// one session without a customer, on one day.
func basketsOfHistory(h *trainingset.History) [][]int32 {
	var lines []line
	for i := range h.Entries {
		e := &h.Entries[i]
		if h.Kinds[e.Kind] != shop.KindPurchase {
			continue
		}
		l := line{product: e.Product}
		switch {
		case e.Order != trainingset.None:
			l.whose, l.when = -1, int64(e.Order)
		case e.At == trainingset.NoTime:
			continue
		case e.Customer != trainingset.None:
			l.whose, l.when = 2*int64(e.Customer), e.At/millisADay
		default:
			l.whose, l.when = 2*int64(e.Session)+1, e.At/millisADay
		}
		lines = append(lines, l)
	}
	return basketsOf(lines)
}

// basketsOfRatings are what a customer rated or bought on one day, whatever the stars: a set of ratings has no
// orders.
func basketsOfRatings(set *trainingset.Set) [][]int32 {
	var lines []line
	for _, r := range set.Interactions {
		if r.RatedAt > 0 {
			lines = append(lines, line{int64(r.Customer), r.RatedAt / secondsADay, r.Product})
		}
	}
	return basketsOf(lines)
}

// basketsOf puts lines into baskets, each product once.
func basketsOf(lines []line) (baskets [][]int32) {
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.whose, b.whose), cmp.Compare(a.when, b.when), cmp.Compare(a.product, b.product))
	})
	lines = slices.Compact(lines)
	for start := 0; start < len(lines); {
		end := start
		var basket []int32
		for ; end < len(lines) && lines[end].whose == lines[start].whose && lines[end].when == lines[start].when; end++ {
			basket = append(basket, lines[end].product)
		}
		baskets, start = append(baskets, basket), end
	}
	return baskets
}

// addTogether tells a version what is bought together. The version's items are the products of the data.
func (in *input) addTogether(v *modelversion.Version) {
	number := make(map[string]int32, len(v.Items))
	for i := range v.Items {
		number[v.Items[i].Code] = int32(i)
	}
	baskets := make([][]int32, 0, len(in.baskets))
	for _, basket := range in.baskets {
		var known []int32
		for _, p := range basket {
			if i, ok := number[in.Products[p].ID]; ok {
				known = append(known, i)
			}
		}
		baskets = append(baskets, known)
	}
	v.Together = together.Lists(baskets, len(v.Items))
}
