// Package shopper simulates visitors of the shop: who comes, what they look at one after the other, and the activity
// event that each click becomes. It is pure and seeded; sending the events is package replay's.
//
// Visitors follow tastes: the planted ones of a generated shop (Planted), or what customers with shared likes rated
// highly (Likes). Some are anonymous and some are customers too new to be in the database.
package shopper

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"kindred/internal/shop"
)

// guide knows what a visitor would look at. Both methods take all randomness from r.
type guide interface {
	// customers lists those who may come, by number.
	customers() []shop.Customer
	// newcomer makes the index-th customer who is in no database, with a way through the shop.
	newcomer(r *rand.Rand, index int) (shop.Customer, walk)
	// visit starts the way of a known customer; a nil customer is anybody.
	visit(r *rand.Rand, c *shop.Customer) walk
}

// walk returns the code of the product that the visitor looks at next.
type walk func(r *rand.Rand) string

// Who comes, as shares of the sessions. The rest are customers of the shop.
const (
	anonymousShare = 0.15
	newcomerShare  = 0.05
	locatedShare   = 0.5 // of the anonymous: their address tells the country
	landingShare   = 0.2 // of all: begin on the front page, before any product
)

// What events look like, as shares.
const (
	cartShare           = 0.15 // of the products looked at
	strayShare          = 0.03 // of the clicks: any product, new arrivals included
	quantityStringShare = 0.3  // of the quantities: written as a string, as the shop's old client does
	extraFieldShare     = 0.1  // of the sessions: fields that nobody here knows
)

// Sizes of sessions.
const (
	meanClicks = 4.0
	maxClicks  = 40
	maxHistory = 20 // an event carries the last ones
)

// Config of the crowd.
type Config struct {
	Seed   uint64
	Run    string // makes the ids of two runs with the same seed differ; the same Run gives the same ids
	Active int    // sessions that are open at the same time; at least 1
}

// Crowd is all visitors of a run. It is not safe for concurrent use.
type Crowd struct {
	cfg      Config
	guide    guide
	products []shop.Product
	random   *rand.Rand
	active   []*session
	started  int // sessions so far
	clicks   int
	new      int // newcomers so far
}

// New makes a crowd in the shop with these products, guided by Planted or Likes.
func New(cfg Config, products []shop.Product, g guide) (*Crowd, error) {
	if len(products) == 0 {
		return nil, ErrEmptyShop
	}
	cfg.Active = max(cfg.Active, 1)
	return &Crowd{cfg: cfg, guide: g, products: products, random: rand.New(rand.NewPCG(cfg.Seed, 0x73686f70706572))}, nil
}

// Click is one event, ready to send. Clicks of one session come in order.
type Click struct {
	EventID   string
	SessionID string
	Data      []byte // JSON
}

// Sessions is the number of sessions that have begun.
func (c *Crowd) Sessions() int { return c.started }

// Next lets one of the open sessions click once; now becomes the event's occurred_at.
func (c *Crowd) Next(now time.Time) (Click, error) {
	for len(c.active) < c.cfg.Active {
		c.active = append(c.active, c.arrive())
	}
	at := c.random.IntN(len(c.active))
	s := c.active[at]
	if s.landing {
		s.landing = false
	} else {
		s.look(c.random, c.choose(s))
	}
	c.clicks++
	click := Click{EventID: identifier("event", c.cfg.Run, c.cfg.Seed, c.clicks), SessionID: s.id}
	var err error
	if click.Data, err = s.event(click.EventID, now); err != nil {
		return Click{}, fmt.Errorf("encode event %s: %w", click.EventID, err)
	}
	if s.left--; s.left == 0 {
		c.active = slices.Delete(c.active, at, at+1)
	}
	return click, nil
}

// choose picks the next product of a session.
func (c *Crowd) choose(s *session) string {
	if c.random.Float64() < strayShare {
		return c.products[c.random.IntN(len(c.products))].Code
	}
	return s.next(c.random)
}

// arrive opens a session.
func (c *Crowd) arrive() *session {
	c.started++
	r := c.random
	s := &session{id: identifier("session", c.cfg.Run, c.cfg.Seed, c.started), left: clicks(r), history: []browse{}}
	if s.landing = r.Float64() < landingShare; s.landing {
		s.left++
	}
	if r.Float64() < extraFieldShare {
		campaign, layout := campaigns[r.IntN(len(campaigns))], r.IntN(3)
		s.extra = &extras{UserAgent: "kindred-replay/1.0", Campaign: campaign, Experiment: map[string]int{"layout": layout}}
	}
	known := c.guide.customers()
	switch u := r.Float64(); {
	case u < newcomerShare:
		customer, way := c.guide.newcomer(r, c.new)
		c.new++
		s.customer, s.next = &customer, way
	case u < newcomerShare+anonymousShare || len(known) == 0:
		s.next = c.guide.visit(r, nil)
		if len(known) > 0 && r.Float64() < locatedShare {
			somebody := known[r.IntN(len(known))]
			s.city, s.country = somebody.City, somebody.Country
		}
	default:
		customer := known[r.IntN(len(known))]
		s.customer, s.next = &customer, c.guide.visit(r, &customer)
	}
	if s.customer != nil {
		s.city, s.country = s.customer.City, s.customer.Country
	}
	return s
}

// clicks draws the length of a session: exponential, at least one click.
func clicks(r *rand.Rand) int {
	return min(1+int(r.ExpFloat64()*(meanClicks-1)+0.5), maxClicks)
}
