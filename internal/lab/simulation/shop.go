// Package simulation makes up a shop whose customers have planted tastes, so that the best possible
// ranking is known and a model can be measured against it. It owns the latent model; it does not
// store, send or rank anything, and it knows no technology.
//
// The model. Every product has a style vector (its line's, blended with its own; the first
// component is the price level) and a Zipf-like popularity. Every customer has a taste vector (a
// segment's, blended with their own). Segments lean to countries, cities and credit limits, so that
// what is known of a new customer says something about them.
//
//	utility(c, p) = popularity(p) + ⟨taste(c), style(p)⟩
//	rated         = the top n(c) products by utility + Gumbel noise; n(c) is log-normal
//	stars         = ⌊base + match + quality(p) + mood(c) + noise⌉ within 1…5; match = standardised ⟨taste, style⟩
//
// Tastes move in a straight line from the period's start to its end (Config.Drift). The expected
// relevance of a product that a customer has not rated grows with utility + log P(stars ≥ 4): that
// is Affinity, and ranking by it is the ceiling.
//
// The same Config gives the same shop on every platform: random numbers come from PCG streams of
// integers, orders are total, and products of floats are rounded before they are summed, so that no
// compiler fuses them. math.Exp and math.Log may differ in the last bit between architectures;
// values are compared without rounding, so in principle, though hardly in practice, such a bit
// could swap two products.
package simulation

import (
	"fmt"
	"math/rand/v2"

	"kindred/internal/shop"
)

// Shop is a generated shop and the truth behind it. It is immutable and safe for concurrent use.
type Shop struct {
	cfg       Config
	customers []shop.Customer
	products  []shop.Product
	index     map[string]int // product code → position in products
	segments  [][]float64    // taste of each segment, components of σ 1
	styles    [][]float64    // per product, length about 1
	appeal    []float64      // per product: popularity's part of utility
	quality   []float64      // per product, in stars
	persons   []person       // per customer
}

// person is the planted truth of one customer.
type person struct {
	taste []float64 // at the end of the period
	shift []float64 // taste at the start minus taste at the end; nil without drift
	mood  float64   // how kindly this customer rates, in stars
}

// New makes the shop that cfg describes. It keeps O(customers × dims + products × dims); ratings
// are made while iterating.
func New(cfg Config) (*Shop, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("check shop configuration: %w", err)
	}
	s := &Shop{cfg: cfg}
	s.makeSegments()
	s.makeProducts()
	s.makeCustomers()
	return s, nil
}

// Config returns what the shop was made from.
func (s *Shop) Config() Config { return s.cfg }

// Customers lists all customers by number. Callers must not change it.
func (s *Shop) Customers() []shop.Customer { return s.customers }

// Products lists all products by code. Callers must not change it.
func (s *Shop) Products() []shop.Product { return s.products }

// The independent streams of random numbers, so that a change in one part leaves the others as they were.
const (
	streamSegments uint64 = iota + 1
	streamProducts
	streamPopularity
	streamCustomer
	streamRatings
	streamNewcomer
	streamDescriptions
)

// random returns the stream of random numbers of one thing: the kind of stream and an index within it.
func (s *Shop) random(stream, index uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(s.cfg.Seed^mix(stream)), mix(index+stream<<56)))
}

// mix is the finaliser of SplitMix64: neighbouring numbers become unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// gauss returns n independent standard normal numbers.
func gauss(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// blend returns √share·a + √(1-share)·b: independent a and b of variance 1 give variance 1.
func blend(share float64, a, b []float64) []float64 {
	v := make([]float64, len(a))
	wa, wb := sqrt(share), sqrt(1-share)
	for i := range v {
		v[i] = float64(wa*a[i]) + float64(wb*b[i])
	}
	return v
}

// dot is the inner product. The conversion keeps compilers from fusing multiplication and addition.
func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x * b[i])
	}
	return sum
}
