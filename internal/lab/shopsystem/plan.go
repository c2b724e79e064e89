package shopsystem

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Config is everything a generated shop depends on: the same Config gives the same shop.
type Config struct {
	System  string `json:"system"`  // one of Systems
	Version string `json:"version"` // one of Versions(System)
	Prefix  string `json:"prefix"`  // of the tables' names
	Seed    uint64 `json:"seed"`
	Orders  int    `json:"orders"`
}

// Sizes relative to the orders, and the shares of what makes a real shop hard to read.
const (
	categoryCount    = 24
	likedCategories  = 2    // that a customer's orders come from
	ordersEach       = 5    // of a customer, on average
	fromLiked        = 0.88 // share of lines from the liked categories
	buysAgain        = 0.12 // share of lines that an earlier order of the customer had
	guestShare       = 0.15 // of orders
	guestReturns     = 0.3  // of guest orders by a guest who was there before
	cancelledShare   = 0.05
	pendingShare     = 0.04
	refundedShare    = 0.03
	refundedLine     = 0.03 // share of lines of which some or all came back
	otherStore       = 0.12 // share of orders in the second store
	reviewShare      = 0.08 // of lines
	maxOrders        = 5_000_000
	periodDays       = 730
	firstVariantSold = 0.5
)

// periodEnd is fixed, so that the same Config always gives the same times.
var periodEnd = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// traits is what a system can express. A plan has nothing else.
type traits struct {
	guests    bool // orders without an account
	variants  bool
	stores    bool // two stores in one database
	languages bool // names in two languages
	disabled  bool
	unpriced  bool // products that nobody can buy, because they have no price
	uncounted bool // products whose stock is not counted
	refunds   bool // of single lines
	reviews   bool
	several   bool // several categories for a product
}

// Product is a product that the storefront shows.
type Product struct {
	Names      [2]string // by language
	Categories []int
	Brand      string
	Cents      int64
	Enabled    bool
	Unpriced   bool
	Counted    bool // its stock is counted
	Stock      int
	Variants   int // 0: it is sold as it is
	Store      int // the only store that has it; -1: all
}

// Customer is a person with an account.
type Customer struct {
	Country, City string
	Likes         []int // categories
}

// State is how an order ended.
type State int

// The states of an order.
const (
	Sold      State = iota // paid, or being delivered
	Open                   // not paid yet
	Cancelled              // never paid
	Refunded               // all of it came back
)

// Order is one order.
type Order struct {
	Store    int
	Customer int // index; -1: a guest
	Guest    int // index of the guest, when Customer is -1
	State    State
	At       time.Time
	Lines    []Line
}

// Line is a part of an order. Two lines may hold two variants of one product.
type Line struct {
	Product  int
	Variant  int // index below Product.Variants
	Quantity int
	Back     int // of Quantity, returned and refunded
}

// Review is one customer's stars for a product.
type Review struct {
	Product, Customer int
	Stars             int
	Approved          bool
	At                time.Time
}

// Plan is a shop before it is written as some system's rows.
type Plan struct {
	Config     Config
	Categories []string // names; the same in each language, so that a taste has one name
	Products   []Product
	Customers  []Customer
	Guests     []Customer
	Orders     []Order
	Reviews    []Review

	traits     traits
	byCategory [][]int // products by category, the popular ones first
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	system, ok := find(c.System)
	if !ok {
		problems = append(problems, fmt.Errorf("there is no system %q, want one of %v", c.System, Systems()))
	} else if _, ok := system.version(c.Version); !ok {
		problems = append(problems, fmt.Errorf("%s has no version %q, want one of %v", c.System, c.Version,
			Versions(c.System)))
	} else if c.Prefix != "" && !system.prefixed {
		problems = append(problems, fmt.Errorf("the tables of %s have no prefix, such as %q", c.System, c.Prefix))
	}
	if c.Orders < 1 || c.Orders > maxOrders {
		problems = append(problems, fmt.Errorf("orders is %d, want 1 to %d", c.Orders, maxOrders))
	}
	return errors.Join(problems...)
}

// New plans the shop that c describes.
func New(c Config) (*Plan, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("check the shop to generate: %w", err)
	}
	system, _ := find(c.System)
	p := &Plan{Config: c, traits: system.traits, byCategory: make([][]int, categoryCount)}
	r := rand.New(rand.NewPCG(c.Seed, 0x5eed))
	for i := range categoryCount {
		p.Categories = append(p.Categories, fmt.Sprintf("%s %s", materials[i%len(materials)], goods[i%len(goods)]))
	}
	products := max(2*categoryCount, int(5*math.Sqrt(float64(c.Orders))))
	for i := range products {
		p.Products = append(p.Products, p.product(r, i))
		for _, k := range p.Products[i].Categories {
			p.byCategory[k] = append(p.byCategory[k], i)
		}
	}
	for range max(3, c.Orders/ordersEach) {
		p.Customers = append(p.Customers, person(r))
	}
	p.order(r)
	return p, nil
}

func person(r *rand.Rand) Customer {
	c := places[r.IntN(len(places))]
	c.Likes = r.Perm(categoryCount)[:likedCategories]
	return c
}

func (p *Plan) product(r *rand.Rand, i int) Product {
	category := i % categoryCount
	name := fmt.Sprintf("%s %s no. %d", adjectives[r.IntN(len(adjectives))], goods[category%len(goods)], i+1)
	q := Product{Names: [2]string{name, name + " (de)"}, Categories: []int{category}, Brand: brands[r.IntN(len(brands))],
		Cents: 500 + r.Int64N(20_000), Enabled: true, Counted: true, Stock: 1 + r.IntN(200), Store: -1}
	// Each draw is made for every system, so that the same seed gives the same orders.
	second, disabled, empty, uncounted, variants, store := r.IntN(categoryCount), r.Float64(), r.Float64(), r.Float64(),
		r.IntN(6), r.Float64()
	if second != category && i%5 == 0 && p.traits.several {
		q.Categories = append(q.Categories, second)
	}
	q.Enabled = !p.traits.disabled || disabled > 0.05
	q.Unpriced = !q.Enabled && i%2 == 0 && p.traits.unpriced
	if empty < 0.05 {
		q.Stock = 0
	}
	if uncounted < 0.1 && p.traits.uncounted {
		q.Counted, q.Stock = false, 0
	}
	if variants >= 3 && p.traits.variants {
		q.Variants = variants - 1
	}
	if store < 0.04 && p.traits.stores {
		q.Store = 1
	}
	return q
}

// order makes the orders in order of time, and the reviews of what was bought.
func (p *Plan) order(r *rand.Rand) {
	bought := make([][]int, len(p.Customers))
	start := periodEnd.AddDate(0, 0, -periodDays)
	for i := range p.Config.Orders {
		o := Order{Customer: r.IntN(len(p.Customers)),
			At: start.Add(time.Duration((float64(i)+r.Float64())/float64(p.Config.Orders)*periodDays*86_400) * time.Second)}
		if r.Float64() < otherStore && p.traits.stores {
			o.Store = 1
		}
		o.State = state(r.Float64())
		who := p.Customers[o.Customer]
		if guest, again := r.Float64() < guestShare, r.Float64() < guestReturns; guest && p.traits.guests {
			o.Customer = -1
			if o.Guest = len(p.Guests); again && o.Guest > 0 {
				o.Guest = r.IntN(o.Guest)
			} else {
				p.Guests = append(p.Guests, person(r))
			}
			who = p.Guests[o.Guest]
		}
		for range 1 + r.IntN(4) {
			var before []int
			if o.Customer >= 0 {
				before = bought[o.Customer]
			}
			l := p.line(r, who, before, o.Store)
			o.Lines = append(o.Lines, l)
			if l.Variant+1 < p.Products[l.Product].Variants && r.Float64() < 0.1 { // another size of the same
				o.Lines = append(o.Lines, Line{Product: l.Product, Variant: l.Variant + 1, Quantity: 1})
			}
			if o.Customer >= 0 {
				bought[o.Customer] = append(bought[o.Customer], l.Product)
			}
			p.review(r, o, l, who)
		}
		p.Orders = append(p.Orders, o)
	}
}

func state(u float64) State {
	switch {
	case u < cancelledShare:
		return Cancelled
	case u < cancelledShare+pendingShare:
		return Open
	case u < cancelledShare+pendingShare+refundedShare:
		return Refunded
	}
	return Sold
}

// line draws what somebody buys: mostly from the categories that they like, popular products first.
func (p *Plan) line(r *rand.Rand, who Customer, before []int, store int) Line {
	var product int
	for range 20 { // until the store has it
		if len(before) > 0 && r.Float64() < buysAgain {
			product = before[r.IntN(len(before))]
		} else {
			category := r.IntN(categoryCount)
			if r.Float64() < fromLiked {
				category = who.Likes[r.IntN(len(who.Likes))]
			}
			of := p.byCategory[category]
			u := r.Float64()
			product = of[int(u*u*float64(len(of)))]
		}
		if s := p.Products[product].Store; s < 0 || s == store {
			break
		}
	}
	l := Line{Product: product, Quantity: 1 + r.IntN(3)}
	if n := p.Products[product].Variants; n > 0 && r.Float64() >= firstVariantSold {
		l.Variant = r.IntN(n)
	}
	if back := r.Float64(); back < refundedLine && p.traits.refunds {
		l.Back = 1 + r.IntN(l.Quantity)
	}
	return l
}

func (p *Plan) review(r *rand.Rand, o Order, l Line, who Customer) {
	write, approved, stars := r.Float64(), r.Float64(), 1+r.IntN(3)
	if write >= reviewShare || !p.traits.reviews || o.Customer < 0 || o.Store != 0 {
		return
	}
	for _, k := range who.Likes {
		if k == p.Products[l.Product].Categories[0] {
			stars = 5 - stars/3
		}
	}
	p.Reviews = append(p.Reviews, Review{Product: l.Product, Customer: o.Customer, Stars: stars, Approved: approved > 0.1,
		At: o.At.AddDate(0, 0, 9)})
}
