package recommend

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// arrangedFrom is how many of the best products a diverse answer is chosen from, at least. What is not among
// them is not looked at: an answer stays close to the visitor's taste.
const arrangedFrom = 200

// arranging chooses the products of one page after the other from the same ones.
type arranging struct {
	asked *Query
	pool  []Candidate // best first
	used  []bool
	left  int // of pool
	// Of maximal marginal relevance, nil without:
	relevance []float64 // from 0 to 1
	length    []float64 // of the vectors
}

// arrange prepares what was found for the pages of a query: main found the best products, and shares the best
// ones of each least share. taken are the products that the visitor sees elsewhere on the page.
func arrange(asked *Query, main []Candidate, shares [][]Candidate, taken map[string]bool) *arranging {
	pool := main
	if len(shares) > 0 || len(taken) > 0 {
		seen := map[int32]bool{}
		pool = nil
		for _, list := range append([][]Candidate{main}, shares...) {
			for _, c := range list {
				if !seen[c.Item] && !taken[c.Code] {
					seen[c.Item] = true
					pool = append(pool, c)
				}
			}
		}
		slices.SortStableFunc(pool, byScore)
	}
	a := &arranging{asked: asked, pool: pool, used: make([]bool, len(pool)), left: len(pool)}
	if asked.byLikeness() && len(pool) > 0 {
		best, worst := float64(pool[0].Score), float64(pool[len(pool)-1].Score)
		for _, c := range pool {
			relevance := 1.0
			if best > worst {
				relevance = (float64(c.Score) - worst) / (best - worst)
			}
			a.relevance, a.length = append(a.relevance, relevance), append(a.length, math.Sqrt(precise(c.Vector, c.Vector)))
		}
	}
	return a
}

func byScore(a, b Candidate) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Code, b.Code))
}

// page chooses the next limit products, or as many as are left: best first, or in the order of their marginal
// relevance.
func (a *arranging) page(limit int) []Candidate {
	limit = min(limit, a.left)
	if a.asked.Diversity == nil && len(a.asked.MinShare) == 0 {
		first := len(a.pool) - a.left
		a.left -= limit
		return a.pool[first : first+limit]
	}
	p := a.begin(limit)
	for len(p.chosen) < limit {
		p.take(p.next())
	}
	if a.relevance == nil {
		slices.SortStableFunc(p.chosen, byScore)
	}
	return p.chosen
}

// choosing is a page while it is chosen.
type choosing struct {
	*arranging

	limit   int
	chosen  []Candidate
	labels  map[string]int // how many of the chosen have a label
	missing []int          // of each least share, how many products
	likest  []float64      // of each of pool, how like the chosen ones it is at most
}

func (a *arranging) begin(limit int) *choosing {
	p := &choosing{arranging: a, limit: limit, labels: map[string]int{}}
	for m, share := range a.asked.MinShare {
		there := 0
		for i := range a.pool {
			if !a.used[i] && a.pool[i].Marks[m] {
				there++
			}
		}
		p.missing = append(p.missing, min(there, share.of(a.asked.Limit)))
	}
	if a.relevance != nil {
		p.likest = make([]float64, len(a.pool))
		for i := range p.likest {
			p.likest[i] = -1
		}
	}
	return p
}

// next is the best product that the rules allow. Where they allow none, the least shares count more than the
// labels, and a product more than none.
func (p *choosing) next() int {
	missing := 0
	for _, n := range p.missing {
		missing += n
	}
	needed := missing > 0 && p.limit-len(p.chosen) <= missing
	for _, rule := range []struct{ needed, labels bool }{{needed, true}, {needed, false}, {false, true}, {false, false}} {
		best, most := -1, math.Inf(-1)
		for i := range p.pool {
			if p.used[i] || rule.needed && !p.needs(i) || rule.labels && p.full(i) {
				continue
			}
			if p.relevance == nil {
				return i
			}
			if value := p.value(i); value > most {
				best, most = i, value
			}
		}
		if best >= 0 {
			return best
		}
	}
	return slices.Index(p.used, false) // its value is not a number
}

// needs says whether a product helps a least share that is missing.
func (p *choosing) needs(i int) bool {
	for m, n := range p.missing {
		if n > 0 && p.pool[i].Marks[m] {
			return true
		}
	}
	return false
}

// full says whether as many products as allowed have a label of this one.
func (p *choosing) full(i int) bool {
	d := p.asked.Diversity
	return d != nil && d.By != ByNothing && slices.ContainsFunc(p.pool[i].Labels,
		func(label string) bool { return p.labels[label] >= d.AtMost })
}

// value is the marginal relevance of a product.
func (p *choosing) value(i int) float64 {
	weight := p.asked.Diversity.MMR
	if len(p.chosen) == 0 {
		return weight * p.relevance[i]
	}
	return weight*p.relevance[i] - (1-weight)*p.likest[i]
}

func (p *choosing) take(i int) {
	c := p.pool[i]
	p.used[i] = true
	p.left--
	p.chosen = append(p.chosen, c)
	for _, label := range c.Labels {
		p.labels[label]++
	}
	for m := range p.missing {
		if c.Marks[m] && p.missing[m] > 0 {
			p.missing[m]--
		}
	}
	for k := range p.likest {
		if !p.used[k] && p.length[i]*p.length[k] > 0 {
			p.likest[k] = max(p.likest[k], precise(c.Vector, p.pool[k].Vector)/(p.length[i]*p.length[k]))
		}
	}
}

// clone is for a trial: the same products are left.
func (a *arranging) clone() *arranging {
	other := *a
	other.used = slices.Clone(a.used)
	return &other
}

// fitting are the first n new products that may stand beside the chosen ones of a page, or fewer.
func (q *Query) fitting(fresh, chosen []Candidate, n int) (fitting []Candidate) {
	labels := map[string]int{}
	add := func(c Candidate) {
		for _, label := range c.Labels {
			labels[label]++
		}
	}
	for _, c := range chosen {
		add(c)
	}
	d := q.Diversity
	for _, c := range fresh {
		full := d != nil && d.By != ByNothing && slices.ContainsFunc(c.Labels,
			func(label string) bool { return labels[label] >= d.AtMost })
		if len(fitting) < n && !full {
			fitting = append(fitting, c)
			add(c)
		}
	}
	return fitting
}

// precise is an inner product.
func precise(a, b []float32) (sum float64) {
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}
