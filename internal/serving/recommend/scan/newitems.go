package scan

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"kindred/internal/serving/recommend"
)

// NewItems are the products that a version does not know. They are few. A nil one has none. It never
// changes.
type NewItems struct {
	byCode map[string]recommend.NewItem
	codes  []string // sorted
}

// With returns n with other or further products.
func (n *NewItems) With(changed []recommend.NewItem) *NewItems {
	next := &NewItems{byCode: map[string]recommend.NewItem{}}
	if n != nil {
		next.byCode = maps.Clone(n.byCode)
	}
	for _, it := range changed {
		next.byCode[it.Code] = it
	}
	next.codes = slices.Sorted(maps.Keys(next.byCode))
	return next
}

// Lookup adds those of the products that are new to what was found.
func (n *NewItems) Lookup(codes []string, found map[string]recommend.Item) {
	if n == nil {
		return
	}
	for _, code := range codes {
		if it, ok := n.byCode[code]; ok {
			found[code] = recommend.Item{Vector: it.Vector}
		}
	}
}

// search finds the products that a search asks for.
func (n *NewItems) search(q *recommend.Search) []recommend.Candidate {
	if n == nil || q.New == 0 {
		return nil
	}
	leave := make(map[string]bool, len(q.Exclude))
	for _, code := range q.Exclude {
		leave[code] = true
	}
	var found []recommend.Candidate
	for _, code := range n.codes {
		it := n.byCode[code]
		if !it.Shown || leave[code] || !q.SeenBy.IsZero() && it.FirstSeen.After(q.SeenBy) {
			continue
		}
		c := recommend.Candidate{Item: recommend.NoItem, Code: code, Vector: it.Vector}
		if q.Vector != nil {
			c.Score = product(q.Vector, it.Vector)
		}
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b recommend.Candidate) int {
		if q.Vector == nil {
			return n.byCode[b.Code].FirstSeen.Compare(n.byCode[a.Code].FirstSeen)
		}
		return cmp.Compare(b.Score, a.Score)
	})
	return found[:min(q.New, len(found))]
}

// direction is the vector of a product with the length one; nil: it has none.
func (n *NewItems) direction(code string) []float32 {
	if n == nil {
		return nil
	}
	length := lengthOf(n.byCode[code].Vector)
	if length == 0 {
		return nil
	}
	vector := slices.Clone(n.byCode[code].Vector)
	for i := range vector {
		vector[i] /= float32(length)
	}
	return vector
}

// near are the products without code, with their distances from a direction.
func (n *NewItems) near(code string, direction []float32) (found []recommend.Similar) {
	if n == nil {
		return nil
	}
	for _, other := range n.codes {
		it := n.byCode[other]
		cosine := float64(product(direction, it.Vector)) / lengthOf(it.Vector)
		if it.Shown && other != code && !math.IsNaN(cosine) { // a zero vector has no direction
			found = append(found, recommend.Similar{Code: other, Distance: float32(1 - cosine)})
		}
	}
	return found
}

func product(a, b []float32) (sum float32) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
