package visitor

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"kindred/internal/lab/simulation"
	"kindred/internal/shop"
)

// Planted guides visitors by the tastes of a generated shop.
type Planted struct {
	shop *simulation.Shop
	has  sync.Map // customer's id → []string: customers come again, and their ratings are costly to make
}

var _ guide = (*Planted)(nil)

// NewPlanted takes the generated shop that the database was filled with.
func NewPlanted(s *simulation.Shop) *Planted { return &Planted{shop: s} }

// Own adds to what a customer has, besides what they rated: they do not come for it.
func (p *Planted) Own(customerID string, codes []string) {
	p.has.Store(customerID, slices.Concat(p.hasNow(customerID), codes))
}

func (p *Planted) customers() []shop.Customer { return p.shop.Customers() }

func (p *Planted) newcomer(_ *rand.Rand, index int) (shop.Customer, taste) {
	c, taste := p.shop.Newcomer(index)
	return c, p.want(taste, nil)
}

func (p *Planted) visit(c shop.Customer) taste {
	planted, _ := p.shop.Taste(c.ID)
	return p.want(planted, p.hasNow(c.ID))
}

func (p *Planted) hasNow(customerID string) []string {
	has, ok := p.has.Load(customerID)
	if !ok {
		has, _ = p.has.LoadOrStore(customerID, p.shop.RatedBy(customerID))
	}
	return has.([]string)
}

// want is the taste of somebody who comes for products that they do not have yet.
func (p *Planted) want(t simulation.Taste, has []string) *plantedTaste {
	products := p.shop.Products()
	w := &plantedTaste{taste: t, products: products, weights: make([]float64, len(products))}
	highest := math.Inf(-1)
	for i, product := range products {
		w.weights[i] = t.Affinity(product.Code)
		highest = max(highest, w.weights[i])
	}
	for i := range w.weights {
		w.weights[i] = math.Exp(w.weights[i] - highest)
		w.total += w.weights[i]
	}
	for _, code := range has {
		w.looked(code)
	}
	return w
}

// plantedTaste draws products by the softmax of the affinity, what they have or looked at left out
// as long as there are others.
type plantedTaste struct {
	taste    simulation.Taste
	products []shop.Product // by code
	weights  []float64
	total    float64
}

func (t *plantedTaste) idea(r *rand.Rand) string {
	u := r.Float64() * t.total
	last := r.IntN(len(t.products)) // when nothing is left, or rounding has eaten the rest
	for i, w := range t.weights {
		if w == 0 {
			continue
		}
		last = i
		if u -= w; u < 0 {
			break
		}
	}
	return t.products[last].Code
}

func (t *plantedTaste) looked(code string) {
	i, ok := slices.BinarySearchFunc(t.products, code,
		func(p shop.Product, code string) int { return cmp.Compare(p.Code, code) })
	if ok {
		t.total -= t.weights[i]
		t.weights[i] = 0
	}
}

func (t *plantedTaste) likes(code string) float64 { return t.taste.Liking(code) }

// best ranks by the truth: what the visitor would look at most likely.
func (t *plantedTaste) best(n int) []string {
	order := make([]int, 0, len(t.products))
	for i, p := range t.products {
		if t.weights[i] > 0 && p.QuantityInStock > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(t.weights[b], t.weights[a]) })
	var codes []string
	for _, i := range order[:min(n, len(order))] {
		codes = append(codes, t.products[i].Code)
	}
	return codes
}
