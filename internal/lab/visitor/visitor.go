// Package visitor simulates visitors of the shop: who comes, what they look at one after the other,
// how they react to what they are recommended, and the activity event that each click becomes. It
// is pure and seeded; sending the events is package replay's.
//
// Visitors follow tastes: the planted ones of a generated shop (Planted), or what customers with
// shared likes rated highly (Likes). Some are anonymous and some are customers too new to be in the
// database. Each one has a few products in mind and would look at the first; if the page shows
// another one of them, and they notice it, they look at that one.
package visitor

import (
	"math/rand/v2"
	"time"

	"kindred/internal/shop"
)

// guide knows whose tastes there are.
type guide interface {
	// customers lists those who may come, by number.
	customers() []shop.Customer
	// newcomer makes the index-th person who is in no database.
	newcomer(r *rand.Rand, index int) (shop.Customer, taste)
	// visit is what one of the customers wants.
	visit(c shop.Customer) taste
}

// taste is what a visitor wants.
type taste interface {
	// idea draws the code of a product that the visitor would look at next.
	idea(r *rand.Rand) string
	// looked hears what the visitor has looked at.
	looked(code string)
	// likes is the chance that the visitor likes a product, 0 to 1.
	likes(code string) float64
}

// Who comes, as shares of the sessions. The rest are customers of the shop.
const (
	anonymousShare = 0.15
	newcomerShare  = 0.05 // customers who are in no database yet; the anonymous are new, too
	locatedShare   = 0.5  // of the anonymous: their address tells the country
	landingShare   = 0.2  // of all: begin on the front page, before any product
)

// What events look like, as shares.
const (
	strayShare          = 0.03 // of the clicks: any product, new arrivals included
	quantityStringShare = 0.3  // of the quantities: written as a string, as the shop's old client does
	extraFieldShare     = 0.1  // of the sessions: fields that nobody here knows
)

// Config of the crowd.
type Config struct {
	Seed   uint64
	Shop   string // in the events' field shop; empty: they have none
	Run    string // makes the ids of two runs with the same seed differ; the same Run gives the same ids
	Active int    // sessions that are open at the same time; at least 1
	// Patience is how long a visitor waits for the recommendations of a page before going on without.
	// 0: nobody waits for any.
	Patience time.Duration
}

// Crowd is all visitors of a run. It is not safe for concurrent use.
type Crowd struct {
	cfg      Config
	guide    guide
	products []shop.Product
	turns    *rand.Rand // whose turn it is
	active   []*Session
	waiting  map[string]*Session // by the event whose answer they wait for
	ready    []int               // indexes in active, in memory that is kept
	totals   Totals
}

// New makes a crowd in the shop with these products, guided by Planted or Likes.
func New(cfg Config, products []shop.Product, g guide) (*Crowd, error) {
	if len(products) == 0 {
		return nil, ErrEmptyShop
	}
	cfg.Active = max(cfg.Active, 1)
	return &Crowd{cfg: cfg, guide: g, products: products, waiting: map[string]*Session{},
		turns: rand.New(rand.NewPCG(cfg.Seed, 0x73686f70706572))}, nil
}

// Click is one event, ready to send. Clicks of one session come in order.
type Click struct {
	EventID   string
	SessionID string
	Data      []byte // JSON
}

// Totals count what has happened.
type Totals struct {
	Sessions int `json:"sessions"` // that have begun
	Shown    int `json:"shown"`    // pages with recommendations that a visitor saw, and went on from
	Hits     int `json:"hits"`     // of them led to a look at a recommended product
	Carts    int `json:"carts"`    // looks that ended in the cart, the first of a session not counted
	Bought   int `json:"bought"`
}

// Totals says what has happened so far.
func (c *Crowd) Totals() Totals { return c.totals }

// Next lets one of the open sessions click once; now becomes the event's occurred_at. Without an
// event, and without error, every visitor waits to be shown something.
func (c *Crowd) Next(now time.Time) (click Click, clicked bool, err error) {
	for len(c.active) < c.cfg.Active {
		c.active = append(c.active, c.begin())
	}
	c.ready = c.ready[:0]
	for i, s := range c.active {
		if s.waiting.IsZero() || now.Sub(s.waiting) >= c.cfg.Patience {
			c.ready = append(c.ready, i)
		}
	}
	if len(c.ready) == 0 {
		return Click{}, false, nil
	}
	at := c.ready[c.turns.IntN(len(c.ready))]
	s := c.active[at]
	if s.events > 0 {
		delete(c.waiting, c.identifier("event", s.number, s.events))
		if c.react(s) {
			s = c.begin()
			c.active[at] = s
		}
	}
	if click, err = s.Event(now); err != nil {
		return Click{}, false, err
	}
	s.shown = nil
	if c.cfg.Patience > 0 {
		s.waiting = now
		c.waiting[click.EventID] = s
	}
	return click, true, nil
}

// Show tells the visitor of an event what is recommended, best first. An answer is not seen if it
// comes too late, or if no visitor waits for it.
func (c *Crowd) Show(eventID string, products []string) (seen bool) {
	s, seen := c.waiting[eventID]
	if seen {
		s.shown, s.waiting = products, time.Time{}
		delete(c.waiting, eventID)
	}
	return seen
}

func (c *Crowd) begin() *Session {
	c.totals.Sessions++
	return c.Session(c.totals.Sessions)
}

// react lets the visitor go on, and tells whether they have left.
func (c *Crowd) react(s *Session) (left bool) {
	reaction := s.React(s.shown)
	if s.shown != nil {
		c.totals.Shown++
	}
	if reaction.Place > 0 {
		c.totals.Hits++
	}
	if reaction.Cart {
		c.totals.Carts++
	}
	c.totals.Bought += reaction.Bought
	return reaction.Left
}

// random gives the numbers of one step of one session: the same whatever other sessions do, and
// whatever this one saw before.
func (c *Crowd) random(session, step int) *rand.Rand {
	return rand.New(rand.NewPCG(c.cfg.Seed, uint64(session)<<16|uint64(step)))
}

// Session opens the session of a number, from 1. The same number gives the same visitor. It may be
// called from several goroutines at once.
func (c *Crowd) Session(number int) *Session {
	r := c.random(number, 0)
	s := &Session{crowd: c, number: number, id: c.identifier("session", number, 0), history: []browse{}}
	landing := r.Float64() < landingShare
	if r.Float64() < extraFieldShare {
		campaign, layout := campaigns[r.IntN(len(campaigns))], r.IntN(3)
		s.extra = &extras{UserAgent: "kindred-replay/1.0", Campaign: campaign, Experiment: map[string]int{"layout": layout}}
	}
	known := c.guide.customers()
	switch u := r.Float64(); {
	case u < newcomerShare+anonymousShare || len(known) == 0:
		person, taste := c.guide.newcomer(r, number)
		s.taste = taste
		if s.newcomer = u < newcomerShare; s.newcomer {
			s.customer = &person
		}
		if s.newcomer || r.Float64() < locatedShare {
			s.city, s.country = person.City, person.Country
		}
	default:
		customer := known[r.IntN(len(known))]
		s.customer, s.taste = &customer, c.guide.visit(customer)
		s.city, s.country = customer.City, customer.Country
	}
	if !landing {
		code, _ := s.choose(r, nil)
		s.look(r, code)
	}
	return s
}
