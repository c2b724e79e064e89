package simulation

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"kindred/internal/shop"
)

// How match, the standardised ⟨taste, style⟩, becomes stars.
const (
	starBase     = 2.9  // stars of a product that means nothing to the customer
	starPerMatch = 0.65 // stars per σ of match; chosen products have a match of one to two σ
	likedFrom    = 4    // stars from which a rating counts as liked
)

// slices of the period in which tastes stand still: quarters of a year.
const periodSlices = 8

// minRatings is what every customer who rates at all has rated, where the catalogue is large enough.
const minRatings = 5

// maxShare of the rated catalogue is the most that one customer rates.
const maxShare = 0.4

// Ratings makes all ratings, by customer and time, each pair once. Every iteration gives the same.
func (s *Shop) Ratings() iter.Seq[shop.Rating] {
	return func(yield func(shop.Rating) bool) {
		c := newChooser(s)
		for i := range s.persons {
			if s.silent(i) {
				continue
			}
			for _, r := range c.ratings(i) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// RatedBy lists the products that a customer has rated, in order of time: nothing for an unknown or
// silent one.
func (s *Shop) RatedBy(customerID string) []string {
	i, ok := s.person(customerID)
	if !ok || s.silent(i) {
		return nil
	}
	var codes []string
	for _, r := range newChooser(s).ratings(i) {
		codes = append(codes, r.ProductCode)
	}
	return codes
}

// starLevel is the expected number of stars before noise, rounding and limits.
func (s *Shop) starLevel(p person, product int, match float64) float64 {
	if s.cfg.TasteStrength > 0 {
		match /= s.cfg.TasteStrength
	}
	return starBase + float64(starPerMatch*match) + s.quality[product] + p.mood
}

// likes is the probability of at least 4 stars for an expected level.
func (s *Shop) likes(level float64) float64 {
	const rounding = 0.5 // 3.5 rounds to 4
	return max(0.5*math.Erfc((likedFrom-rounding-level)/(s.cfg.StarNoise*math.Sqrt2)), 1e-300)
}

// chooser makes one customer's ratings after the other in memory that it keeps.
type chooser struct {
	shop   *Shop
	match  []float64 // ⟨taste, style⟩ at the end
	shift  []float64 // ⟨shift, style⟩: what is added at the start
	noise  []float64 // appeal + Gumbel noise
	key    []float64 // utility with noise in the current slice
	chosen []bool
}

func newChooser(s *Shop) *chooser {
	n := len(s.products)
	numbers := func() []float64 { return make([]float64, n) }
	return &chooser{shop: s, match: numbers(), shift: numbers(), noise: numbers(), key: numbers(), chosen: make([]bool, n)}
}

// ratings returns all ratings of customer i in order of time.
func (c *chooser) ratings(i int) []shop.Rating {
	s := c.shop
	p := s.persons[i]
	r := s.random(streamRatings, uint64(i))
	times := s.ratingTimes(r)
	for j := range s.products {
		c.match[j] = dot(p.taste, s.styles[j])
		if p.shift != nil {
			c.shift[j] = dot(p.shift, s.styles[j])
		}
		c.noise[j] = s.appeal[j] - math.Log(r.ExpFloat64())
		c.chosen[j] = false
	}
	ratings := make([]shop.Rating, 0, len(times))
	// Slices are filled in random order: otherwise the best products would all come first in time.
	for _, slice := range r.Perm(periodSlices) {
		from, to := sliceBounds(times, slice)
		if from == to {
			continue
		}
		past := 1 - (float64(slice)+0.5)/periodSlices // 1 at the start, 0 at the end
		for j := range c.key {
			c.key[j] = c.match[j] + c.noise[j] + float64(past*c.shift[j])
		}
		best := c.top(to - from)
		r.Shuffle(len(best), func(a, b int) { best[a], best[b] = best[b], best[a] })
		for k, j := range best {
			c.chosen[j] = true
			level := s.starLevel(p, j, c.match[j]+float64(past*c.shift[j])) + float64(s.cfg.StarNoise*r.NormFloat64())
			stars := min(max(int8(math.Floor(level+0.5)), shop.MinStars), shop.MaxStars)
			at := time.Unix(times[from+k], 0).UTC()
			rating := shop.Rating{CustomerID: s.customers[i].ID, ProductCode: s.products[j].Code, Stars: stars,
				RatedAt: &at}
			ratings = append(ratings, rating)
		}
	}
	slices.SortFunc(ratings, func(a, b shop.Rating) int { return a.RatedAt.Compare(*b.RatedAt) })
	return ratings
}

// top returns the n products with the highest key that were not chosen before, best first; equal
// keys by position.
func (c *chooser) top(n int) []int {
	best := make([]int, 0, n+1)
	for j, key := range c.key {
		if c.chosen[j] || (len(best) == n && key <= c.key[best[n-1]]) {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, key, func(b int, key float64) int {
			if c.key[b] >= key {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, j)
		if len(best) > n {
			best = best[:n]
		}
	}
	return best
}

// ratingTimes draws how often and when a customer rates: distinct seconds, ascending, from the day
// they joined on.
func (s *Shop) ratingTimes(r *rand.Rand) []int64 {
	spread := s.cfg.ActivitySpread
	mean := math.Log(s.cfg.RatingsPerCustomer) - spread*spread/2 // of the logarithm, so that the mean comes out
	n := int(math.Round(math.Exp(mean + float64(spread*r.NormFloat64()))))
	rated := len(s.products) - s.unrated()
	n = min(max(n, minRatings), max(1, int(maxShare*float64(rated))))
	joined := 0.75 * r.Float64() * r.Float64() // part of the period; most customers are old ones
	times := make([]int64, n)
	for i := range times {
		part := joined + float64((1-joined)*r.Float64())
		times[i] = int64(part * (periodSeconds - 100_000)) // room for the shifts below
	}
	slices.Sort(times)
	for i := range times {
		if i > 0 && times[i] <= times[i-1] {
			times[i] = times[i-1] + 1
		}
	}
	for i := range times {
		times[i] += periodEndUnix - periodSeconds
	}
	return times
}

// sliceBounds returns the range of times that lie in a slice of the period.
func sliceBounds(times []int64, slice int) (from, to int) {
	start := int64(periodEndUnix - periodSeconds)
	bound := func(k int) int {
		at, _ := slices.BinarySearch(times, start+int64(k)*periodSeconds/periodSlices)
		return at
	}
	return bound(slice), bound(slice + 1)
}
