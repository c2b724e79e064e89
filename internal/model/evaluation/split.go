package evaluation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Rating is one customer's stars for one product.
type Rating struct {
	Customer, Product int32 // indexes in canonical order, see package canonical
	Stars             int8
	RatedAt           int64 // unix seconds, 0: unknown
}

const (
	// heldOutShare: one rating in five, the share of the public splits this project compares with.
	heldOutShare = 5
	// fewestRatings: a customer with fewer is not tested.
	fewestRatings = 3
	// fewestKept is how many ratings stay in the training part: two are the least that say anything of
	// a taste.
	fewestKept = 2
	// fewestTested: with fewer customers who can be tested, guests are tested too.
	fewestTested = 20
	// fewestOrdered: with fewer than one customer in so many who can be tested by time, the times of a
	// shop order nothing.
	fewestOrdered = 10
)

// Cut is ratings in two parts.
type Cut struct {
	Train, Held []Rating // each by customer
	Name        string   // how they were cut, for people
	// Ties is the share of the ratings with a time that share it with another rating of the same
	// customer, 0 to 1.
	Ties float64
}

// Split holds out the last fifth of each customer's ratings, and at least one. Ratings of one
// customer at the same time are a basket, which is held out whole or not at all. The last basket is
// held out, and earlier ones as long as all of them together are at most a fifth. A customer with
// fewer than 3 ratings, or with fewer than 2 before the last basket, is not tested.
//
// A customer without all times has no last ratings: a fifth is drawn, by seed. So is a fifth of a
// single basket where fewer than one customer in ten has a second one: then the times order nothing
// in this shop, as after an import that stamps all ratings with its own time.
//
// The draw goes by the indexes of customers and products: with canonical ones the parts depend
// neither on names nor on the order of ratings. ratings is not changed.
func Split(ratings []Rating, seed uint64) Cut {
	return SplitWithGuests(ratings, func(int32) bool { return false }, seed)
}

// SplitWithGuests is Split where some rows are guests. A guest always has a single basket. It is
// not held out, and does not count in the decision whether times order anything. If fewer than
// fewestTested other rows can be tested, a fifth of it is held out, drawn by seed.
func SplitWithGuests(ratings []Rating, guest func(customer int32) bool, seed uint64) Cut {
	sorted := slices.Clone(ratings)
	slices.SortFunc(sorted, func(a, b Rating) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.RatedAt, b.RatedAt),
			cmp.Compare(a.Product, b.Product))
	})
	var all []timeline
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && sorted[end].Customer == sorted[start].Customer {
			end++
		}
		h := newTimeline(sorted[start:end])
		if h.kind == oneBasket && guest(sorted[start].Customer) {
			h.kind = guestBasket
		}
		all = append(all, h)
		start = end
	}
	var count [kinds]int
	timed, tied := 0, 0
	for _, h := range all {
		count[h.kind]++
		timed, tied = timed+h.timed, tied+h.tied
	}
	stamps := (fewestOrdered-1)*count[ordered] < count[oneBasket]
	tested := count[ordered] + count[untimed]
	if stamps {
		tested += count[oneBasket]
	}
	guests := tested < fewestTested && count[guestBasket] > 0
	var c Cut
	for _, h := range all {
		cut := h.cut
		if h.kind == untimed || h.kind == oneBasket && stamps || h.kind == guestBasket && guests {
			slices.SortStableFunc(h.own, func(a, b Rating) int { return cmp.Compare(draw(seed, a), draw(seed, b)) })
			cut = len(h.own) - max(len(h.own)/heldOutShare, 1)
		}
		c.Train, c.Held = append(c.Train, h.own[:cut]...), append(c.Held, h.own[cut:]...)
	}
	if c.Name = splitName(count, stamps) + guestsName(count[guestBasket], guests); timed > 0 {
		c.Ties = float64(tied) / float64(timed)
	}
	return c
}

// draw is the place of a rating in its customer's random order.
func draw(seed uint64, r Rating) uint64 { return Mix(Mix(seed^uint64(r.Customer)) + uint64(r.Product)) }

// kind is what can be held out of a customer's ratings.
type kind int

const (
	untested    kind = iota // nothing
	ordered                 // the last baskets
	oneBasket               // nothing, as long as times order anything
	untimed                 // a part drawn by seed
	guestBasket             // nothing, as long as others can be tested
	kinds
)

// timeline is one customer's ratings by time.
type timeline struct {
	own         []Rating
	kind        kind
	cut         int // the first rating that is held out
	timed, tied int // ratings with a time, and of them those that share it
}

// newTimeline looks at a customer's ratings, which are in order of time.
func newTimeline(own []Rating) timeline {
	n := len(own)
	h := timeline{own: own, cut: n}
	cut := n
	for end := n; end > 0; {
		start := end - 1
		for start > 0 && own[start-1].RatedAt == own[end-1].RatedAt {
			start--
		}
		if own[start].RatedAt != 0 {
			h.timed += end - start
			if end-start > 1 {
				h.tied += end - start
			}
		}
		if end == n || cut == end && n-start <= n/heldOutShare {
			cut = start
		}
		end = start
	}
	switch {
	case n < fewestRatings:
	case slices.ContainsFunc(own, func(r Rating) bool { return r.RatedAt == 0 }):
		h.kind = untimed
	case cut == 0:
		h.kind = oneBasket
	case cut >= fewestKept:
		h.kind, h.cut = ordered, cut
	}
	return h
}

// guestsName says in words what becomes of guests.
func guestsName(baskets int, tested bool) string {
	switch {
	case baskets == 0:
		return ""
	case tested:
		return fmt.Sprintf("; 20 %% of the only basket of each of %d guests, drawn by seed", baskets)
	}
	return fmt.Sprintf("; %d guests with a single basket are not tested", baskets)
}

// splitName says in words what was held out.
func splitName(count [kinds]int, stamps bool) string {
	drawn := count[untimed]
	if stamps {
		drawn += count[oneBasket]
	}
	all := drawn + count[ordered]
	var name strings.Builder
	switch {
	case drawn == 0:
		name.WriteString("last 20 % of each customer's ratings by time, in whole baskets")
	case count[ordered] == 0 && stamps && count[oneBasket] > 0:
		name.WriteString("20 % of each customer's ratings drawn by seed, as the times of a customer are all the same")
	case count[ordered] == 0:
		name.WriteString("20 % of each customer's ratings drawn by seed, as times are missing")
	default:
		fmt.Fprintf(&name, "last 20 %% of each customer's ratings by time, in whole baskets, "+
			"and drawn by seed for the %d of %d customers whose ratings have no order in time", drawn, all)
	}
	if n := count[oneBasket]; n > 0 && !stamps {
		fmt.Fprintf(&name, "; %d customers with a single basket are not tested", n)
	}
	return name.String()
}

// Mix spreads the bits of x (splitmix64's finaliser), so that near inputs give unrelated outputs.
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// NewTask asks for the held-out products that have at least minStars, with everything in train masked.
func NewTask(products int, train, held []Rating, minStars int8) *Task {
	seen, relevant := make(map[int32][]int32), make(map[int32][]int32)
	for _, r := range held {
		if r.Stars >= minStars {
			relevant[r.Customer] = append(relevant[r.Customer], r.Product)
		}
	}
	for _, r := range train {
		if relevant[r.Customer] != nil {
			seen[r.Customer] = append(seen[r.Customer], r.Product)
		}
	}
	t := &Task{Products: products}
	for customer, liked := range relevant {
		slices.Sort(liked)
		t.Cases = append(t.Cases, Case{Customer: customer, Seen: seen[customer], Relevant: slices.Compact(liked)})
	}
	slices.SortFunc(t.Cases, func(a, b Case) int { return cmp.Compare(a.Customer, b.Customer) })
	return t
}
