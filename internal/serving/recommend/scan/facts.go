package scan

import (
	"slices"
	"strings"
	"sync"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
)

// Facts are what rules see of the products of an index, by place. They are safe for concurrent use.
type Facts struct {
	index *Index

	mu         sync.RWMutex
	columns    *rule.Columns
	categories [][]string // of the product at each place; nil: none
	brands     []string   // "": none
	names      map[string]*name
	bytes      int64 // of all but the columns

	asking sync.Mutex
	masks  map[*rule.Expr]rule.Mask // of the latest questions, as long as no product changes
}

// keptMasks is how many masks are kept: pages ask with the same few expressions again and again.
const keptMasks = 64

// labelBytes is about what the labels of a product take at least.
const labelBytes = 24 + 16

// NewFacts are the facts of products of which nothing was said; shown says which can be bought.
func NewFacts(x *Index, shown []bool) *Facts {
	n := len(x.codes)
	f := &Facts{index: x, columns: rule.NewColumns(n), categories: make([][]string, n), brands: make([]string, n),
		names: map[string]*name{}, bytes: int64(n) * labelBytes, masks: map[*rule.Expr]rule.Mask{}}
	for place, item := range x.items {
		f.columns.Set(int32(place), &rule.Product{ID: x.codes[item], Available: shown[item]})
	}
	return f
}

// Set says what is known of a product now. A product that the index does not have changes nothing.
func (f *Facts) Set(p *rule.Product) {
	item, known := f.index.numbers[p.ID]
	if !known {
		return
	}
	place := f.index.places[item]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.columns.Set(place, p)
	clear(f.masks)
	brand := ""
	if p.Brand != nil {
		brand = *p.Brand
	}
	if before := f.brands[place]; before != brand {
		f.brands[place] = f.name(brand)
		f.drop(before)
	}
	if before := f.categories[place]; !slices.Equal(before, p.Categories) {
		f.bytes += labelSize * int64(len(p.Categories)-len(before))
		f.categories[place] = nil
		for _, c := range p.Categories {
			f.categories[place] = append(f.categories[place], f.name(c))
		}
		for _, c := range before {
			f.drop(c)
		}
	}
}

// name is a label that products have.
type name struct {
	text string
	uses int
}

const (
	labelSize = 16 // of a text that shares its bytes
	nameSize  = 80 // about, without its bytes
)

// name is a text that all products with this label share; "" is none.
func (f *Facts) name(label string) string {
	if label == "" {
		return ""
	}
	known := f.names[label]
	if known == nil {
		known = &name{text: strings.Clone(label)}
		f.names[known.text] = known
		f.bytes += int64(len(label)) + nameSize
	}
	known.uses++
	return known.text
}

// drop forgets a label that one product less has.
func (f *Facts) drop(label string) {
	if label == "" {
		return
	}
	if known := f.names[label]; known.uses > 1 {
		known.uses--
		return
	}
	delete(f.names, label)
	f.bytes -= int64(len(label)) + nameSize
}

// Bytes is about what the facts take.
func (f *Facts) Bytes() int64 {
	if f == nil {
		return 0
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.columns.Bytes() + f.bytes + keptMasks*int64(len(f.brands))/8
}

// ruled is what rules say of the products, by place.
type ruled struct {
	rules   *recommend.Rules
	filter  rule.Mask   // nil: all products
	boosts  []rule.Mask // where each of them applies
	marks   []rule.Mask
	largest float32 // the largest factor that boosts make
}

// of says what rules say of the products now; nil: there are no rules.
func (f *Facts) of(r *recommend.Rules) *ruled {
	if r == nil {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	q := &ruled{rules: r, largest: r.LargestFactor()}
	for i, e := range r.Filters {
		mask := f.mask(e)
		if i > 0 {
			both := slices.Clone(q.filter)
			for w := range both {
				both[w] &= mask[w]
			}
			mask = both
		}
		q.filter = mask
	}
	for _, b := range r.Boosts {
		q.boosts = append(q.boosts, f.mask(b.Where))
	}
	for _, e := range r.Marks {
		q.marks = append(q.marks, f.mask(e))
	}
	return q
}

// mask says where an expression applies. It never changes. The caller holds the lock for reading.
func (f *Facts) mask(e *rule.Expr) rule.Mask {
	f.asking.Lock()
	mask, known := f.masks[e]
	f.asking.Unlock()
	if known {
		return mask
	}
	mask = e.Mask(f.columns, nil)
	f.asking.Lock()
	defer f.asking.Unlock()
	if len(f.masks) >= keptMasks {
		clear(f.masks)
	}
	f.masks[e] = mask
	return mask
}

// allows says whether the product at a place matches the filter.
func (q *ruled) allows(place int32) bool { return q == nil || q.filter == nil || q.filter.Has(place) }

// boosted is the score of the product at a place with the boosts.
func (q *ruled) boosted(score float32, place int32) float32 {
	if q == nil || len(q.boosts) == 0 {
		return score
	}
	return rule.Boosted(score, rule.Factor(q.rules.Boosts, func(i int) bool { return q.boosts[i].Has(place) }))
}

// mark fills the marks and labels of candidates.
func (f *Facts) mark(q *ruled, found []recommend.Candidate) {
	if q == nil || len(q.marks) == 0 && q.rules.By == recommend.ByNothing {
		return
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range found {
		c := &found[i]
		place := f.index.places[c.Item]
		for _, m := range q.marks {
			c.Marks = append(c.Marks, m.Has(place))
		}
		switch brand := f.brands[place]; {
		case q.rules.By == recommend.ByCategory:
			c.Labels = f.categories[place]
		case q.rules.By == recommend.ByBrand && brand != "":
			c.Labels = []string{brand}
		}
	}
}
