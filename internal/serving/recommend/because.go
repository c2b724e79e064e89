package recommend

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"kindred/internal/model/modelversion"
)

// because explains why a product is recommended: it names the product of the session that
// contributes most to the product's score, or "" if none contributes anything. The contributions
// are exact: what the product adds to the query's inner product (ials.Query.Contributions), and what
// it adds as a neighbour and to itself.
func (s *session) because(vector []float32, item int32) string {
	var room [SessionItems]float32
	_, each := s.query.Contributions(vector, room[:0])
	code, most := "", float32(0)
	for i, x := range each {
		near, itself := s.folded[i].adds(item)
		if x += near + itself; x > most {
			code, most = s.folded[i].code, x
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

// window is how many products are summed up at once: their sums stay in the second-level cache.
const window = 1 << 15

// sums is memory to add lists up in. It is all zero before and after.
type sums struct {
	weights [window]float32
	named   [window / 64]uint64 // a bit of each product that a list names
}

// add sums lists up, each times its weight, in ascending order of the items. Lists of weight 0 do not count.
func (s *sums) add(lists [][]modelversion.Neighbour, weights []float32) (all []modelversion.Neighbour) {
	left := make([][]modelversion.Neighbour, len(lists))
	for i, list := range lists {
		if weights[i] != 0 {
			left[i] = list
		}
	}
	for {
		first, more := int32(math.MaxInt32), false
		for _, list := range left {
			if len(list) > 0 {
				first, more = min(first, list[0].Item), true
			}
		}
		if !more {
			return all
		}
		for i, list := range left {
			n := 0
			for ; n < len(list) && uint32(list[n].Item-first) < window; n++ {
				at := uint32(list[n].Item - first)
				s.weights[at] += weights[i] * list[n].Weight
				s.named[at/64] |= 1 << (at % 64)
			}
			left[i] = list[n:]
		}
		all = s.take(all, first)
	}
}

// take appends the sums, of the products from first on.
func (s *sums) take(to []modelversion.Neighbour, first int32) []modelversion.Neighbour {
	n := 0
	for _, named := range s.named {
		n += bits.OnesCount64(named)
	}
	to = slices.Grow(to, n)
	for i, named := range s.named {
		for ; named != 0; named &= named - 1 {
			at := 64*i + bits.TrailingZeros64(named)
			to = append(to, modelversion.Neighbour{Item: first + int32(at), Weight: s.weights[at]})
			s.weights[at] = 0
		}
		s.named[i] = 0
	}
	return to
}
