package recommend

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// Rules are what a question asks of the products themselves, as the state beside the versions says. Every store
// keeps them exactly, also for new products.
type Rules struct {
	Filters []*rule.Expr // only products that match all of them
	Boosts  []rule.Boost // which change the scores of products that match (rule.Boosted)
	Marks   []*rule.Expr // of each of these, Candidate.Marks says whether the product matches
	By      Label        // which labels Candidate.Labels has
}

// Label is a kind of a product's labels.
type Label string

// The kinds of labels.
const (
	ByNothing  Label = ""
	ByCategory Label = "category" // all categories of a product
	ByBrand    Label = "brand"
)

// key is the same for rules that ask the same.
func (r *Rules) key() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	for _, e := range r.Filters {
		fmt.Fprintf(&b, "filter %q ", e)
	}
	for _, boost := range r.Boosts {
		fmt.Fprintf(&b, "boost %q %g ", boost.Where, boost.Factor)
	}
	for _, e := range r.Marks {
		fmt.Fprintf(&b, "mark %q ", e)
	}
	return b.String() + string(r.By)
}

// Allows says whether a product matches the filters.
func (r *Rules) Allows(p *rule.Product) bool {
	return r == nil || !slices.ContainsFunc(r.Filters, func(e *rule.Expr) bool { return !e.Match(p) })
}

// LargestFactor is the largest one that boosts may make of a product, 1 without boosts.
func (r *Rules) LargestFactor() float32 {
	return rule.Factor(r.Boosts, func(i int) bool { return r.Boosts[i].Factor > 1 })
}

// Score is a product's score with the boosts.
func (r *Rules) Score(score float32, p *rule.Product) float32 {
	if r == nil || len(r.Boosts) == 0 {
		return score
	}
	return rule.Boosted(score, rule.Factor(r.Boosts, func(i int) bool { return r.Boosts[i].Where.Match(p) }))
}

// Distance is that of a similar product with the boosts: of its similarity, 1 - distance.
func (r *Rules) Distance(distance float32, p *rule.Product) float32 {
	if r == nil || len(r.Boosts) == 0 {
		return distance
	}
	return 1 - r.Score(1-distance, p)
}

// Mark fills a candidate's marks and labels.
func (r *Rules) Mark(c *Candidate, p *rule.Product) {
	if r == nil {
		return
	}
	for _, e := range r.Marks {
		c.Marks = append(c.Marks, e.Match(p))
	}
	switch {
	case r.By == ByCategory:
		c.Labels = p.Categories
	case r.By == ByBrand && p.Brand != nil:
		c.Labels = []string{*p.Brand}
	}
}

// FactsOf are the facts of a product, from the values of its fields.
func FactsOf(id string, values map[activity.Field]any, available bool, firstSeen time.Time) *rule.Product {
	text := func(f activity.Field) *string {
		if s, known := values[f].(string); known {
			return &s
		}
		return nil
	}
	p := &rule.Product{ID: id, Name: text(activity.FieldName), Brand: text(activity.FieldBrand),
		Currency: text(activity.FieldCurrency), URL: text(activity.FieldURL), Image: text(activity.FieldImage),
		Available: available, FirstSeen: firstSeen}
	p.Categories, _ = values[activity.FieldCategories].([]string)
	p.Attributes, _ = values[activity.FieldAttributes].(map[string]any)
	if stock, known := values[activity.FieldStock].(int64); known {
		p.Stock = &stock
	}
	if text, known := values[activity.FieldPrice].(string); known {
		if price, err := rule.ParseDecimal(text); err == nil {
			p.Price = &price
		}
	}
	return p
}
