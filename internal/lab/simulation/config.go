package simulation

import (
	"errors"
	"fmt"
	"math"
)

// Config is everything a generated shop depends on: the same Config gives the same shop. It is kept
// as JSON next to the training sets, so that others can compute the planted truth again.
type Config struct {
	Seed               uint64  `json:"seed"`
	Customers          int     `json:"customers"`
	Products           int     `json:"products"`
	RatingsPerCustomer float64 `json:"ratings_per_customer"` // mean over the customers who rate
	ActivitySpread     float64 `json:"activity_spread"`      // σ of the log-normal number of ratings of a customer
	Dims               int     `json:"dims"`                 // of the planted tastes; the first one is the price level
	Segments           int     `json:"segments"`             // groups of customers with a common taste
	// share of a taste's variance that comes from the segment, 0 to 1
	SegmentPull float64 `json:"segment_pull"`
	// share of a country's customers who belong to its own segment, 0 to 1
	SegmentLoyalty float64 `json:"segment_loyalty"`
	// share of a product's style that comes from its product line, 0 to 1
	LinePull float64 `json:"line_pull"`
	// σ over products of the taste's part of utility; choice noise has σ 1.28
	TasteStrength float64 `json:"taste_strength"`
	Popularity    float64 `json:"popularity"` // exponent of the Zipf-like popularity of products
	// σ of what stars do not owe to taste, quality or mood, in stars
	StarNoise       float64 `json:"star_noise"`
	SilentCustomers float64 `json:"silent_customers"` // share of customers without any rating
	UnratedProducts float64 `json:"unrated_products"` // share of products without any rating: new arrivals
	// how far own tastes moved over the period, in σ of a taste; 0: not at all
	Drift float64 `json:"drift"`
}

// The calendar of every generated shop. The end is fixed, so that the same Config always gives the
// same times.
const (
	periodEndUnix = 1_767_225_600 // 2026-01-01T00:00:00Z, exclusive
	periodDays    = 730           // two years
	periodSeconds = periodDays * 24 * 60 * 60
)

// Sizes at scale 1. Products grow with the square root of the scale, as catalogues grow more slowly than customers.
const (
	baseCustomers      = 2_000
	baseProducts       = 800
	ratingsPerCustomer = 52 // of the 97 % who rate: about 100,000 ratings in all at scale 1
)

// DefaultConfig is the shop of the demonstration: at scale 1.0 about 2,000 customers, 800 products
// and 100,000 ratings. Customers and ratings grow in proportion to scale.
func DefaultConfig(scale float64) Config {
	return Config{
		Seed:               1,
		Customers:          max(20, int(math.Round(baseCustomers*scale))),
		Products:           max(40, int(math.Round(baseProducts*math.Sqrt(scale)))),
		RatingsPerCustomer: ratingsPerCustomer,
		ActivitySpread:     0.7,
		Dims:               6,
		Segments:           6,
		SegmentPull:        0.5,
		SegmentLoyalty:     0.6,
		LinePull:           0.6,
		TasteStrength:      1.9,
		Popularity:         0.8,
		StarNoise:          0.7,
		SilentCustomers:    0.03,
		UnratedProducts:    0.03,
		Drift:              0.2,
	}
}

// Limits that keep a typing error from eating the machine, and codes within the schema.
const (
	maxCustomers = 10_000_000
	maxProducts  = 1_000_000
	maxDims      = 64
	maxSegments  = 100
)

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	whole := func(name string, v, low, high int) {
		if v < low || v > high {
			problems = append(problems, fmt.Errorf("%s is %d, want %d to %d", name, v, low, high))
		}
	}
	number := func(name string, v, low, high float64) {
		if !(v >= low && v <= high) { // also refuses NaN
			problems = append(problems, fmt.Errorf("%s is %v, want %v to %v", name, v, low, high))
		}
	}
	whole("customers", c.Customers, 1, maxCustomers)
	whole("products", c.Products, 2, maxProducts)
	whole("dims", c.Dims, 2, maxDims)
	whole("segments", c.Segments, 1, maxSegments)
	number("ratings_per_customer", c.RatingsPerCustomer, 1, maxProducts)
	number("activity_spread", c.ActivitySpread, 0, 3)
	number("segment_pull", c.SegmentPull, 0, 1)
	number("segment_loyalty", c.SegmentLoyalty, 0, 1)
	number("line_pull", c.LinePull, 0, 1)
	number("taste_strength", c.TasteStrength, 0, 20)
	number("popularity", c.Popularity, 0, 5)
	number("star_noise", c.StarNoise, 0.01, 10)
	number("silent_customers", c.SilentCustomers, 0, 0.9)
	number("unrated_products", c.UnratedProducts, 0, 0.9)
	number("drift", c.Drift, 0, 10)
	return errors.Join(problems...)
}
