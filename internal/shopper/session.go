package shopper

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"kindred/internal/shop"
)

// session is one visit.
type session struct {
	id       string
	customer *shop.Customer // nil: anonymous
	city     string
	country  string
	extra    *extras
	next     walk
	landing  bool // the next click is the shop's front page, which shows no product
	left     int  // clicks to come
	history  []browse
}

// event is the record as the shop's web server sends it. It is written here and not with package activity, so that the
// reader meets what a foreign program writes.
type event struct {
	EventID        string      `json:"event_id"`
	SessionID      string      `json:"session_id"`
	CustomerNumber *int32      `json:"customer_number,omitempty"`
	City           string      `json:"city,omitempty"`
	Country        string      `json:"country,omitempty"`
	CreditLimit    json.Number `json:"credit_limit,omitempty"`
	BrowseHistory  []browse    `json:"browse_history"`
	OccurredAt     string      `json:"occurred_at"`
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
}

// look adds a product to what the visitor has seen.
func (s *session) look(r *rand.Rand, code string) {
	b := browse{ProductCode: code, InShoppingCart: r.Float64() < cartShare}
	quantity := 0
	if b.InShoppingCart {
		quantity = 1 + r.IntN(5)
	}
	b.Quantity = quantity
	if r.Float64() < quantityStringShare {
		b.Quantity = strconv.Itoa(quantity)
	}
	s.history = append(s.history, b)
	if len(s.history) > maxHistory {
		s.history = s.history[1:]
	}
}

// event encodes the session as it is now.
func (s *session) event(id string, now time.Time) ([]byte, error) {
	e := event{
		EventID: id, SessionID: s.id, City: s.city, Country: s.country, BrowseHistory: s.history,
		OccurredAt: now.UTC().Format(time.RFC3339Nano), extras: s.extra,
	}
	if s.customer != nil {
		e.CustomerNumber = &s.customer.Number
		if s.customer.CreditLimit != nil {
			e.CreditLimit = json.Number(s.customer.CreditLimit.String())
		}
	}
	return json.Marshal(e)
}

// identifier derives an id in the form of a UUID from what it names.
func identifier(kind, run string, seed uint64, n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %q %d %d", kind, run, seed, n))
	h[6] = h[6]&0x0f | 0x80 // version 8: made by a rule of our own (RFC 9562)
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
