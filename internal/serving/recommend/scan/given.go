package scan

import (
	"cmp"
	"slices"
	"strings"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
)

// Given keeps the rules of a question on the products that it gives: those that match, with their boosted scores, best
// first, equals in the order of their codes. Of a product that neither the index nor fresh has, nothing is known but
// its id, and it cannot be bought.
func (x *Index) Given(q recommend.ListQuery, shown []bool, fresh *NewItems, facts *Facts) []recommend.Listed {
	ruled := facts.of(q.Rules)
	var found []recommend.Listed
	for _, it := range q.Given {
		if slices.Contains(q.Exclude, it.Code) {
			continue
		}
		c := recommend.Candidate{Code: it.Code, Score: it.Score}
		var available, matches bool
		if item, known := x.numbers[it.Code]; known {
			place := x.places[item]
			c.Item, c.Score = item, ruled.boosted(it.Score, place)
			available, matches = shown[item], ruled.allows(place)
			one := []recommend.Candidate{c}
			facts.mark(ruled, one)
			c = one[0]
		} else {
			p := fresh.facts(it.Code)
			available, matches = p.Available, q.Rules.Allows(p)
			c.Score = q.Rules.Score(it.Score, p)
			q.Rules.Mark(&c, p)
		}
		if matches && (available || q.GivenWhole) {
			found = append(found, recommend.Listed{Code: c.Code, Score: c.Score, Marks: c.Marks, Labels: c.Labels})
		}
	}
	slices.SortFunc(found, func(a, b recommend.Listed) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Code, b.Code))
	})
	return found[:min(len(found), q.Limit, recommend.MaxLimit)]
}

// facts are those of a product; of one that is not among them, its id.
func (n *NewItems) facts(code string) *rule.Product {
	if n != nil {
		if i, known := newAt(n.items, code); known && n.items[i].Facts != nil {
			return n.items[i].Facts
		}
	}
	return &rule.Product{ID: code}
}
