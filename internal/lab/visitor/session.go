package visitor

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// How visitors behave. None of it depends on who recommends.
const (
	stays        = 0.75 // chance to stay after a page
	staysPleased = 0.85 // the same, after a look at a recommended product
	maxClicks    = 40
	// products that a visitor has in mind: they look at the first, unless they notice another one on
	// the page
	ideas      = 4
	cartLiked  = 0.25 // chance that a product which the visitor likes goes into the cart
	buys       = 0.5  // chance that a visitor who leaves buys what is in the cart
	maxHistory = 20   // an event carries the last ones
)

// notices is the chance that a visitor sees what stands at a place of the recommendations, from 0:
// everybody sees the first.
func notices(place int) float64 { return 1 / math.Log2(float64(place)+2) }

// Session is one visit. It answers to its number, the crowd's seed and what it is shown; it does
// not depend on other sessions.
type Session struct {
	crowd    *Crowd
	number   int
	id       string
	customer *shop.Customer // nil: anonymous
	newcomer bool
	city     string
	country  string
	extra    *extras
	taste    taste
	events   int
	pleased  bool // the last look was at a recommended product
	bought   bool // and is about to leave
	history  []browse
	waiting  time.Time // since when it waits for the answer to its last event
	shown    []string
}

// event is the record as the shop's web server sends it. It is written here and not with package
// activity, so that the reader meets what a foreign program writes.
type event struct {
	EventID       string      `json:"event_id"`
	Shop          string      `json:"shop,omitempty"`
	SessionID     string      `json:"session_id"`
	CustomerID    any         `json:"customer_number,omitempty"`
	City          string      `json:"city,omitempty"`
	Country       string      `json:"country,omitempty"`
	CreditLimit   json.Number `json:"credit_limit,omitempty"`
	BrowseHistory []browse    `json:"browse_history"`
	OccurredAt    string      `json:"occurred_at"`
	*extras
}

// extras are fields that the pipeline does not know and must keep.
type extras struct {
	UserAgent  string         `json:"user_agent"`
	Campaign   string         `json:"campaign"`
	Experiment map[string]int `json:"experiment"`
}

var campaigns = [...]string{"spring", "newsletter", "søndag", "none"}

// browse is one product of a session. Quantity is a number or a string.
type browse struct {
	ProductCode    string `json:"product_code"`
	Quantity       any    `json:"quantity"`
	InShoppingCart bool   `json:"in_shopping_cart"`
	Purchased      bool   `json:"purchased,omitempty"`
}

// Reaction is what a visitor does after a page.
type Reaction struct {
	Left   bool // without another event
	Place  int  // of the recommended product that is looked at next, from 1; 0: none is
	Cart   bool // the product that is looked at next goes into the cart
	Bought int  // products that were in the cart
}

// React lets the visitor see the page with the recommended products, best first, and go on: leave,
// buy and leave, or look at another product, a recommended one or not.
func (s *Session) React(shown []string) Reaction {
	r := s.crowd.random(s.number, s.events)
	staying := stays
	if s.pleased {
		staying = staysPleased
	}
	leaves := r.Float64() >= staying || s.events >= maxClicks
	if s.bought || leaves {
		return s.leave(r)
	}
	code, place := s.choose(r, shown)
	s.pleased = place > 0
	return Reaction{Place: place, Cart: s.look(r, code)}
}

// leave ends the session, or buys first: then the session ends after one more event.
func (s *Session) leave(r *rand.Rand) Reaction {
	bought := 0
	if buying := r.Float64() < buys; buying && !s.bought {
		for i := range s.history {
			if s.history[i].InShoppingCart {
				s.history[i].Purchased = true
				bought++
			}
		}
	}
	s.bought = bought > 0
	return Reaction{Left: !s.bought, Bought: bought}
}

// choose picks the next product, and the place in shown that it was seen at, from 1.
func (s *Session) choose(r *rand.Rand, shown []string) (code string, place int) {
	if r.Float64() < strayShare {
		return s.crowd.products[r.IntN(len(s.crowd.products))].Code, 0
	}
	for i := range ideas {
		idea, noticed := s.taste.idea(r), r.Float64()
		if i == 0 {
			code = idea
		}
		if at := slices.Index(shown, idea); at >= 0 && noticed < notices(at) && place == 0 {
			code, place = idea, at+1
		}
	}
	return code, place
}

// look adds a product to what the visitor has seen, and tells whether it went into the cart.
func (s *Session) look(r *rand.Rand, code string) bool {
	b := browse{ProductCode: code, InShoppingCart: r.Float64() < cartLiked*s.taste.likes(code)}
	quantity := 0
	if b.InShoppingCart {
		quantity = 1 + r.IntN(5)
	}
	b.Quantity = quantity
	if r.Float64() < quantityStringShare {
		b.Quantity = strconv.Itoa(quantity)
	}
	s.taste.looked(code)
	s.history = append(s.history, b)
	if len(s.history) > maxHistory {
		s.history = s.history[1:]
	}
	return b.InShoppingCart
}

// Event encodes the session as it is now; now becomes the event's occurred_at.
func (s *Session) Event(now time.Time) (Click, error) {
	s.events++
	click := Click{EventID: s.crowd.identifier("event", s.number, s.events), SessionID: s.id}
	e := event{
		EventID: click.EventID, Shop: s.crowd.cfg.Shop, SessionID: s.id, City: s.city, Country: s.country,
		BrowseHistory: s.history,
		OccurredAt:    now.UTC().Format(time.RFC3339Nano), extras: s.extra,
	}
	if s.customer != nil {
		e.CustomerID = s.customer.ID
		if n, whole := text.Integer(s.customer.ID); whole {
			e.CustomerID = n
		}
		if s.customer.CreditLimit != nil {
			e.CreditLimit = json.Number(s.customer.CreditLimit.String())
		}
	}
	var err error
	if click.Data, err = json.Marshal(e); err != nil {
		return Click{}, fmt.Errorf("encode event %s: %w", click.EventID, err)
	}
	return click, nil
}

// Kind says who the visitor is: "customer", "newcomer" (a customer who is in no database yet) or "anonymous".
func (s *Session) Kind() string {
	switch {
	case s.customer == nil:
		return "anonymous"
	case s.newcomer:
		return "newcomer"
	}
	return "customer"
}

// Visitor is the same for two sessions of one customer; an anonymous one is somebody new every time.
func (s *Session) Visitor() string {
	if s.customer == nil {
		return s.id
	}
	return s.customer.ID
}

// Ceiling ranks the n products in stock that the visitor is most likely to look at, without those
// that the visitor has rated or looked at. It uses the planted taste, which a recommender must not
// know. It is nil if no taste was planted.
func (s *Session) Ceiling(n int) []string {
	if t, ok := s.taste.(*plantedTaste); ok {
		return t.best(n)
	}
	return nil
}

// identifier derives an id in the form of a UUID from what it names.
func (c *Crowd) identifier(kind string, session, n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %q %d %d %d", kind, c.cfg.Run, c.cfg.Seed, session, n))
	h[6] = h[6]&0x0f | 0x80 // version 8: made by a rule of our own (RFC 9562)
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
