package scan

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"kindred/internal/serving/recommend"
)

// NewItems are the products that a version does not know. They are few. A nil one has none. It never
// changes.
type NewItems struct {
	items []recommend.NewItem // sorted by code
}

// mostNew is how many a version has, as the vector database says too: the newest, and what cannot be bought
// last.
const mostNew = 10_000

// With returns n with other or further products, and what else is known of whether products can be bought.
func (n *NewItems) With(changed []recommend.NewItem, shown map[string]*bool) *NewItems {
	var items []recommend.NewItem
	if n != nil {
		items = slices.Clone(n.items)
	}
	known := len(items)
	for code, can := range shown {
		if i, ok := newAt(items, code); ok {
			items[i].Shown = can != nil && *can
		}
	}
	for _, it := range changed {
		if i, ok := newAt(items[:known], it.Code); ok {
			items[i] = it
		} else {
			items = append(items, it)
		}
	}
	slices.SortFunc(items, byNewCode)
	if len(items) > mostNew {
		slices.SortStableFunc(items, func(a, b recommend.NewItem) int {
			if a.Shown == b.Shown {
				return b.FirstSeen.Compare(a.FirstSeen)
			}
			if a.Shown {
				return -1
			}
			return 1
		})
		items = slices.Clone(items[:mostNew])
		slices.SortFunc(items, byNewCode)
	}
	return &NewItems{items}
}

func byNewCode(a, b recommend.NewItem) int { return cmp.Compare(a.Code, b.Code) }

func newAt(items []recommend.NewItem, code string) (int, bool) {
	return slices.BinarySearchFunc(items, recommend.NewItem{Code: code}, byNewCode)
}

// Has says whether any of these products is new.
func (n *NewItems) Has(shown map[string]*bool) bool {
	for code := range shown {
		if n.vector(code) != nil {
			return true
		}
	}
	return false
}

// newBytes is about what a new product takes beside its vector, with its facts.
const newBytes = 600

// Bytes is about what the products take.
func (n *NewItems) Bytes() (sum int64) {
	if n == nil || len(n.items) == 0 {
		return 0
	}
	return int64(len(n.items)) * int64(4*len(n.items[0].Vector)+newBytes)
}

// vector is that of a product; nil: it is not among them.
func (n *NewItems) vector(code string) []float32 {
	if n == nil {
		return nil
	}
	if i, known := newAt(n.items, code); known {
		return n.items[i].Vector
	}
	return nil
}

// Lookup adds those of the products that are new to what was found.
func (n *NewItems) Lookup(codes []string, found map[string]recommend.Item) {
	for _, code := range codes {
		if vector := n.vector(code); vector != nil {
			found[code] = recommend.Item{Number: recommend.NoItem, Vector: vector}
		}
	}
}

// search finds the products that a search asks for: equals are in the order of their codes.
func (n *NewItems) search(q *recommend.Search) (best []recommend.Candidate) {
	if n == nil || q.New == 0 {
		return nil
	}
	limit := min(q.New, recommend.MaxLimit)
	var seen []time.Time // of the best
	for i := range n.items {
		it := &n.items[i]
		if !it.Shown || !q.SeenBy.IsZero() && it.FirstSeen.After(q.SeenBy) || !q.Rules.Allows(it.Facts) {
			continue
		}
		score := float32(0)
		if q.Vector != nil {
			score = q.Rules.Score(product(q.Vector, it.Vector), it.Facts)
		}
		at := sort.Search(len(best), func(k int) bool {
			return best[k].Score < score || q.Vector == nil && seen[k].Before(it.FirstSeen)
		})
		if at == limit || slices.Contains(q.Exclude, it.Code) {
			continue
		}
		if len(best) == limit {
			best, seen = best[:limit-1], seen[:limit-1]
		}
		c := recommend.Candidate{Item: recommend.NoItem, Code: it.Code, Score: score, Vector: it.Vector}
		q.Rules.Mark(&c, it.Facts)
		best = slices.Insert(best, at, c)
		seen = slices.Insert(seen, at, it.FirstSeen)
	}
	return best
}

// direction is the vector of a product with the length one; nil: it has none.
func (n *NewItems) direction(code string) []float32 {
	vector := slices.Clone(n.vector(code))
	length := lengthOf(vector)
	if length == 0 {
		return nil
	}
	for i := range vector {
		vector[i] /= float32(length)
	}
	return vector
}

// near are the products without code, with their distances from a direction.
func (n *NewItems) near(code string, direction []float32, rules *recommend.Rules) (found []recommend.Similar) {
	if n == nil {
		return nil
	}
	for i := range n.items {
		it := &n.items[i]
		cosine := float64(product(direction, it.Vector)) / lengthOf(it.Vector)
		if it.Shown && it.Code != code && !math.IsNaN(cosine) && rules.Allows(it.Facts) { // a zero vector has no direction
			found = append(found, recommend.Similar{Code: it.Code, Distance: rules.Distance(float32(1-cosine), it.Facts)})
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
