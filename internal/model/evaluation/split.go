package evaluation

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
)

// Rating is one customer's stars for one product.
type Rating struct {
	Customer, Product int32 // indexes; products are in order of their codes
	Stars             int8
	RatedAt           int64 // unix seconds, 0: unknown
}

const (
	// heldOutShare: one rating in five, the share of the public splits this project compares with.
	heldOutShare = 5
	// fewestRatings: a customer with fewer is not tested; two ratings are the least that say anything
	// of a taste.
	fewestRatings = 3
)

// Split cuts the last fifth (at least one) of each customer's ratings off. "Last" is by time, ties
// by product, for a customer whose ratings all have times; otherwise by a hash of who and what,
// which is stable when other customers come and go. The name says which was used. key identifies a
// pair for the hash. ratings is not changed.
func Split(ratings []Rating, key func(customer, product int32) uint64) (train, held []Rating, name string) {
	sorted := slices.Clone(ratings)
	slices.SortFunc(sorted, func(a, b Rating) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Product, b.Product))
	})
	timed, hashed := 0, 0
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && sorted[end].Customer == sorted[start].Customer {
			end++
		}
		own := sorted[start:end]
		if slices.ContainsFunc(own, func(r Rating) bool { return r.RatedAt == 0 }) {
			hashed++
			slices.SortStableFunc(own, func(a, b Rating) int {
				return cmp.Compare(key(a.Customer, a.Product), key(b.Customer, b.Product))
			})
		} else {
			timed++
			slices.SortStableFunc(own, func(a, b Rating) int { return cmp.Compare(a.RatedAt, b.RatedAt) })
		}
		cut := len(own)
		if cut >= fewestRatings {
			cut -= max(len(own)/heldOutShare, 1)
		}
		train, held = append(train, own[:cut]...), append(held, own[cut:]...)
		start = end
	}
	switch {
	case hashed == 0:
		name = "last 20 % of each customer's ratings by time"
	case timed == 0:
		name = "20 % of each customer's ratings by hash, as times are missing"
	default:
		name = fmt.Sprintf("last 20 %% of each customer's ratings by time, by hash for the %d of %d customers without times",
			hashed, hashed+timed)
	}
	return train, held, name
}

// PairKey is a key for Split from the identities themselves.
func PairKey(customerNumber int32, productCode string) uint64 {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(customerNumber)))
	h.Write([]byte(productCode))
	return Mix(h.Sum64())
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
		t.Cases = append(t.Cases, Case{Customer: customer, Seen: seen[customer], Relevant: liked})
	}
	slices.SortFunc(t.Cases, func(a, b Case) int { return cmp.Compare(a.Customer, b.Customer) })
	return t
}
