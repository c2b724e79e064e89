package scan

import (
	"math"
	"slices"
	"sort"

	"kindred/internal/model/ials"
)

// wordsABlock is how many words of a mask stand for the places of a block.
const wordsABlock = blockRows / 64

// sparse is how many panels of a block are compared one by one, at most: more of them are compared together.
const sparse = block / 2

// panels says which panels of the block that begins at a panel have a product that the query may find: a bit for
// each, all of them without a filter.
func (q *query) panels(from int) (which uint16) {
	if q.ruled == nil || q.ruled.filter == nil {
		return math.MaxUint16
	}
	first := from * ials.PanelRows / 64
	for i, word := range q.ruled.filter[first:min(first+wordsABlock, len(q.ruled.filter))] {
		for k := range 64 / ials.PanelRows {
			if word>>(k*ials.PanelRows)&math.MaxUint16 != 0 {
				which |= 1 << (i*64/ials.PanelRows + k)
			}
		}
	}
	return which
}

// keepAllowed clears the places that the query's filter does not allow.
func (q *query) keepAllowed(from int, masks []uint16) {
	if q.ruled == nil || q.ruled.filter == nil {
		return
	}
	for i := range masks {
		place := (from + i) * ials.PanelRows
		masks[i] &= uint16(q.ruled.filter[place/64] >> (place % 64))
	}
}

// few compares single panels with one query.
func (x *Index) few(queries *ials.Queries, q *query, from int, panels uint16, shown []bool, r *room) {
	group, i := q.number/ials.PanelRows, q.number%ials.PanelRows
	for pair := from; panels != 0; pair, panels = pair+2, panels>>2 {
		if panels&3 == 0 || pair >= x.vectors.Len() {
			continue
		}
		x.vectors.Estimates(queries, group, 1<<i, pair, pair+2, r.sums[:])
		for k := range 2 {
			if panels>>k&1 == 1 {
				x.take(queries, q, pair+k, r.sums[k*ials.PanelRows+i:], r.masks[:1], shown)
			}
		}
	}
}

// threshold is the lowest score without boosts that a product of the best ones may have.
func (q *query) threshold() float32 {
	if q.ruled == nil || q.ruled.largest == 1 {
		return q.floor
	}
	if q.floor >= 0 {
		return below(q.floor / q.ruled.largest)
	}
	return below(q.floor * q.ruled.largest)
}

// below is a little less than x: what rounding may make of it.
func below(x float32) float32 { return math.Nextafter32(x, float32(math.Inf(-1))) }

// most is what boosts may make of a bound of scores.
func (q *query) most(bound float64) float64 {
	if q.ruled == nil || bound < 0 {
		return bound
	}
	return bound * float64(q.ruled.largest) * (1 + rounding)
}

// byPopularity is scan in the popularity order.
func (x *Index) byPopularity(q *query, shown []bool) {
	for _, item := range x.popular {
		score := float32(x.positives[item])
		if len(q.best) == q.limit && (q.ruled == nil || q.most(float64(score)) < float64(q.floor)) {
			return
		}
		if _, leave := slices.BinarySearch(q.left, item); leave || !shown[item] || !q.ruled.allows(x.places[item]) {
			continue
		}
		score = q.ruled.boosted(score, x.places[item])
		at := sort.Search(len(q.best), func(i int) bool {
			return q.best[i].score < score || q.best[i].score == score && q.best[i].item > item
		})
		if at == q.limit {
			continue
		}
		q.best = slices.Insert(q.best[:min(len(q.best), q.limit-1)], at, scored{item, score})
		if len(q.best) == q.limit {
			q.floor = q.best[q.limit-1].score
		}
	}
}
