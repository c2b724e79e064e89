package shopper

import (
	"math"
	"math/rand/v2"

	"kindred/internal/shop"
	"kindred/internal/simulation"
)

// Planted guides visitors by the tastes of a generated shop.
type Planted struct{ shop *simulation.Shop }

var _ guide = (*Planted)(nil)

// NewPlanted takes the generated shop that the database was filled with.
func NewPlanted(s *simulation.Shop) *Planted { return &Planted{shop: s} }

func (p *Planted) customers() []shop.Customer { return p.shop.Customers() }

func (p *Planted) newcomer(_ *rand.Rand, index int) (shop.Customer, walk) {
	c, affinity := p.shop.Newcomer(index)
	return c, p.walk(affinity)
}

func (p *Planted) visit(r *rand.Rand, c *shop.Customer) walk {
	all := p.shop.Customers()
	somebody := all[r.IntN(len(all))]
	if c != nil {
		somebody = *c
	}
	return p.walk(func(code string) float64 { return p.shop.Affinity(somebody.Number, code) })
}

// walk draws products by the softmax of the affinity, each one once as long as there are any.
func (p *Planted) walk(affinity func(code string) float64) walk {
	products := p.shop.Products()
	weights := make([]float64, len(products))
	highest := math.Inf(-1)
	for i, product := range products {
		weights[i] = affinity(product.Code)
		highest = max(highest, weights[i])
	}
	total := 0.0
	for i := range weights {
		weights[i] = math.Exp(weights[i] - highest)
		total += weights[i]
	}
	return func(r *rand.Rand) string {
		u := r.Float64() * total
		last := r.IntN(len(products)) // when everything has been seen, or rounding has eaten the rest
		for i, w := range weights {
			if w == 0 {
				continue
			}
			last = i
			if u -= w; u < 0 {
				break
			}
		}
		total -= weights[last]
		weights[last] = 0
		return products[last].Code
	}
}
