package simulation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

const (
	firstCustomer = 101 // number of the first customer
	moodSpread    = 0.3 // σ of how kindly customers rate, in stars
)

// Credit limits: log-normal around this amount; the price component of the taste moves them.
const (
	creditMedian  = 75_000.0
	creditByTaste = 0.45 // of the logarithm, per σ of the price component
	creditSpread  = 0.25 // σ of the logarithm that says nothing
	creditMissing = 0.02 // share of customers without one
	postalMissing = 0.05 // share of customers without a postal code
)

// makeCustomers draws all customers. Each one has their own stream of random numbers.
func (s *Shop) makeCustomers() {
	for i := range s.cfg.Customers {
		c, p := s.makeCustomer(s.random(streamCustomer, uint64(i)), firstCustomer+i)
		s.customers = append(s.customers, c)
		s.persons = append(s.persons, p)
	}
}

// makeCustomer draws one customer: country, then segment, then everything that follows from the segment.
func (s *Shop) makeCustomer(r *rand.Rand, number int) (shop.Customer, person) {
	country := pickWeighted(r.Float64(), len(countries), func(i int) float64 { return countries[i].weight })
	segment := country % s.cfg.Segments
	if r.Float64() >= s.cfg.SegmentLoyalty {
		segment = r.IntN(s.cfg.Segments)
	}
	home := countries[country]
	// Each city has a segment that likes it better, so the city tells more than the country alone.
	town := pickWeighted(r.Float64(), len(home.cities), func(i int) float64 {
		if (i+1)%s.cfg.Segments == segment || i == segment%len(home.cities) {
			return 3
		}
		return 1
	})
	level := blend(s.cfg.SegmentPull, s.segments[segment], gauss(r, s.cfg.Dims))
	p := person{taste: make([]float64, s.cfg.Dims), mood: moodSpread * r.NormFloat64()}
	for d := range level {
		p.taste[d] = s.cfg.TasteStrength * level[d]
	}
	if shift := gauss(r, s.cfg.Dims); s.cfg.Drift > 0 {
		for d := range shift {
			shift[d] *= s.cfg.Drift * s.cfg.TasteStrength
		}
		p.shift = shift
	}
	credit := creditMedian * math.Exp(float64(creditByTaste*level[0])+float64(creditSpread*r.NormFloat64()))
	limit := clampCents(math.Round(credit/100)*100, 5_000_00, 900_000_00)
	c := shop.Customer{
		ID:          strconv.Itoa(number),
		Name:        fmt.Sprintf("%s %s", surnames[r.IntN(len(surnames))], businesses[r.IntN(len(businesses))]),
		City:        home.cities[town],
		Country:     home.name,
		CreditLimit: &limit,
	}
	if home.states != nil {
		c.State = &home.states[town]
	}
	if postal := fmt.Sprintf("%05d", 10_000+r.IntN(90_000)); r.Float64() >= postalMissing {
		c.PostalCode = &postal
	}
	if r.Float64() < creditMissing {
		c.CreditLimit = nil
	}
	return c, p
}

// person returns the truth behind a customer's id.
func (s *Shop) person(customerID string) (int, bool) {
	number, whole := text.Integer(customerID)
	i := int(number) - firstCustomer
	return i, whole && i >= 0 && i < len(s.persons)
}

// Newcomer makes a customer of the same population who is not in the shop yet, and the taste of
// theirs. The same index gives the same newcomer; numbers follow the shop's last.
func (s *Shop) Newcomer(index int) (shop.Customer, Taste) {
	number := firstCustomer + len(s.customers) + index
	c, p := s.makeCustomer(s.random(streamNewcomer, uint64(index)), number)
	return c, Taste{s, p}
}

// Taste is the planted preference of one person at the end of the period.
type Taste struct {
	shop   *Shop
	person person
}

// Taste gives a customer's; false for an unknown one.
func (s *Shop) Taste(customerID string) (Taste, bool) {
	i, ok := s.person(customerID)
	if !ok {
		return Taste{}, false
	}
	return Taste{s, s.persons[i]}, true
}

// Affinity is Shop.Affinity for this person.
func (t Taste) Affinity(productCode string) float64 { return t.shop.affinity(t.person, productCode) }

// Liking is the chance that this person would give a product at least 4 stars. An unknown product gives 0.
func (t Taste) Liking(productCode string) float64 {
	i, ok := t.shop.index[productCode]
	if !ok {
		return 0
	}
	return t.shop.likes(t.shop.starLevel(t.person, i, dot(t.person.taste, t.shop.styles[i])))
}

// Affinity is the planted preference of a customer for a product at the end of the period: the
// logarithm, up to a constant for each customer, of the chance that the product is their next
// rating and gets at least 4 stars. Ranking the products that a customer has not rated by it is the
// best that any model can do. An unknown customer or product gives 0.
func (s *Shop) Affinity(customerID, productCode string) float64 {
	i, ok := s.person(customerID)
	if !ok {
		return 0
	}
	return s.affinity(s.persons[i], productCode)
}

func (s *Shop) affinity(p person, code string) float64 {
	i, ok := s.index[code]
	if !ok {
		return 0
	}
	match := dot(p.taste, s.styles[i])
	return s.appeal[i] + match + math.Log(s.likes(s.starLevel(p, i, match)))
}

// silent tells whether a customer rates nothing: spread evenly over the numbers, by their own stream.
func (s *Shop) silent(i int) bool {
	if s.cfg.SilentCustomers == 0 {
		return false
	}
	every := max(1, int(math.Round(1/s.cfg.SilentCustomers)))
	return i%every == every-1
}
