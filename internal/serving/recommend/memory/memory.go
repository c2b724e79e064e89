// Package memory answers from model versions in memory, by an exact scan, for experiments and tests
// that want no database. The suite of package recommendtest holds it and the vector database to the
// same answers. It does not decide what to recommend.
package memory

import (
	"math"
	"slices"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
)

// Version is a model version that can be asked. It is safe for concurrent use.
type Version struct {
	Model     *recommend.Model
	version   *modelversion.Version
	items     map[string]int // by code
	customers map[string]int // by id
}

// New returns v as a version that can be asked. The caller must not change v any more.
func New(v *modelversion.Version) *Version {
	m := &Version{Model: &recommend.Model{Version: v.ID, Solver: v.Solver, Encoder: v.Encoder}, version: v,
		items: make(map[string]int, len(v.Items)), customers: make(map[string]int, len(v.Customers))}
	for i, it := range v.Items {
		m.items[it.Code] = i
	}
	for i, c := range v.Customers {
		m.customers[c.ID] = i
	}
	return m
}

// Lookup finds the products and customers that the version knows.
func (v *Version) Lookup(codes, customers []string) recommend.Lookup {
	found := recommend.Lookup{Items: map[string]recommend.Item{}, Customers: map[string]recommend.Customer{},
		Bought: map[string][]recommend.Bought{}, Said: map[string]recommend.Said{}}
	for _, code := range codes {
		if i, ok := v.items[code]; ok {
			item := recommend.Item{Number: int32(i), Likes: v.version.Items[i].Positives, Vector: v.version.Items[i].Vector}
			if v.version.Near != nil {
				item.Near = v.version.Near.Items[i]
			}
			found.Items[code] = item
		}
	}
	for _, number := range customers {
		if i, ok := v.customers[number]; ok {
			c := recommend.Customer{Origin: v.version.Customers[i].Origin, Vector: v.version.Customers[i].Vector}
			if v.version.Near != nil {
				c.Near = v.version.Near.Customers[i]
			}
			found.Customers[number] = c
		}
	}
	return found
}

// Search finds the best products for one query; equals are in the order of their codes.
func (v *Version) Search(q recommend.Search) []recommend.Candidate {
	return v.search(q, said{facts: func(code string) *rule.Product {
		item := &v.version.Items[v.items[code]]
		return recommend.FactsOf(code, ofVersion(item), item.QuantityInStock > 0, time.Time{})
	}})
}

// search is Search where something was said of products.
func (v *Version) search(q recommend.Search, said said) []recommend.Candidate {
	exclude := make(map[string]bool, len(q.Exclude))
	for _, code := range q.Exclude {
		exclude[code] = true
	}
	if q.Customer != nil {
		if i, ok := v.customers[*q.Customer]; ok {
			c := &v.version.Customers[i]
			for n, code := range c.Rated {
				item, known := v.items[code]
				if v.version.Repeats == nil || !known || v.version.Items[item].Repeat.Hides(c.Last[n], q.At) {
					exclude[code] = true
				}
			}
		}
	}
	added := make(map[int32]float32, len(q.Added))
	for _, n := range q.Added {
		added[n.Item] = n.Weight
	}
	var found []recommend.Candidate
	for i, it := range v.version.Items {
		if exclude[it.Code] || !shown(it, said.state) {
			continue
		}
		c := recommend.Candidate{Item: int32(i), Code: it.Code, Score: float32(it.Positives), Vector: it.Vector}
		if q.Vector != nil {
			c.Score = dot(q.Vector, it.Vector) + added[int32(i)]
		}
		if q.Rules != nil {
			facts := said.facts(it.Code)
			if !q.Rules.Allows(facts) {
				continue
			}
			c.Score = q.Rules.Score(c.Score, facts)
			q.Rules.Mark(&c, facts)
		}
		found = keep(found, min(q.Limit, recommend.MaxLimit), c,
			func(a, b recommend.Candidate) bool { return a.Score > b.Score })
	}
	return found
}

// nearest finds the products nearest to one by cosine and neighbours; nothing for a product without a vector.
func (v *Version) nearest(q recommend.Neighbours, said said, fresh []recommend.NewItem) []recommend.Similar {
	at, ok := v.items[q.Code]
	var origin []float32
	if ok {
		origin = v.version.Items[at].Vector
	} else if i := slices.IndexFunc(fresh, func(it recommend.NewItem) bool { return it.Code == q.Code }); i >= 0 {
		origin = fresh[i].Vector
	} else {
		return nil
	}
	added := map[int32]float32{}
	if weight := v.version.Solver.SimilarWeight; ok && weight > 0 {
		for _, n := range v.version.Near.Items[at] {
			added[n.Item] = float32(weight) * n.Weight
		}
	}
	var found []recommend.Similar
	for i, it := range v.version.Items {
		if it.Code == q.Code || !shown(it, said.state) || q.Rules != nil && !q.Rules.Allows(said.facts(it.Code)) {
			continue
		}
		cosine := cosine(origin, it.Vector)
		if math.IsNaN(cosine) { // a zero vector has no direction
			continue
		}
		distance := float32(1 - cosine - float64(added[int32(i)]))
		if q.Rules != nil {
			distance = q.Rules.Distance(distance, said.facts(it.Code))
		}
		found = keep(found, min(q.Limit, recommend.MaxLimit), recommend.Similar{Code: it.Code, Distance: distance},
			func(a, b recommend.Similar) bool { return a.Distance < b.Distance })
	}
	var further []recommend.Similar
	for _, it := range fresh {
		cosine := cosine(origin, it.Vector)
		if it.Shown && it.Code != q.Code && !math.IsNaN(cosine) && q.Rules.Allows(it.Facts) {
			further = append(further, recommend.Similar{Code: it.Code,
				Distance: q.Rules.Distance(float32(1-cosine), it.Facts)})
		}
	}
	return recommend.Nearest(found, further, min(q.Limit, recommend.MaxLimit))
}

func cosine(a, b []float32) float64 {
	return float64(dot(a, b)) / math.Sqrt(float64(dot(a, a))*float64(dot(b, b)))
}

// shown says whether a product can be bought.
func shown(it modelversion.Item, state map[string]bool) bool {
	if can, known := state[it.Code]; known {
		return can
	}
	return it.QuantityInStock > 0
}

// keep puts x into an ordered list of at most n, after its equals.
func keep[T any](list []T, n int, x T, before func(a, b T) bool) []T {
	at := len(list)
	for at > 0 && before(x, list[at-1]) {
		at--
	}
	if at >= n {
		return list
	}
	list = slices.Insert(list, at, x)
	return list[:min(n, len(list))]
}

func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
