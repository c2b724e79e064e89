package recommend

import (
	"cmp"
	"slices"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/stream/activity"
)

// Purchase is what an event says: that a customer bought a product in a session.
type Purchase struct {
	Customer string
	Session  string
	Product  string
	Order    activity.Order // the event's place. Of a session's events that say so, the earliest counts
	Said     activity.Order // when it was bought, for what is forgotten; zero: Order
}

// Bought is a purchase as a store knows it.
type Bought struct {
	Product string
	Order   activity.Order
	Repeat  modelversion.Repeat // what becomes of the product, by the version's rules
}

// Purchases appends what the event says that its customer bought, of the newest SessionItems products:
// each event of a session repeats what the session bought before.
func Purchases(dst []Purchase, e *activity.Event) []Purchase {
	if e.CustomerID == nil {
		return dst // the session's own history says what an anonymous visitor bought
	}
	if e.Type == activity.TypeInteraction {
		for _, c := range e.Visit.Clicks {
			if c.Kind == activity.ClickPurchase {
				// Without a session, each purchase is one of its own.
				session := cmp.Or(e.SessionID, e.Visit.EventID)
				dst = append(dst, Purchase{string(*e.CustomerID), session, c.Product, e.Place, e.Visit.Order})
			}
		}
		return dst
	}
	said := e.Said
	if e.Visit != nil {
		said = e.Visit.Order
	}
	var known map[activity.ID]bool
	first := len(dst)
	for i := len(e.BrowseHistory) - 1; i >= 0 && len(dst)-first < SessionItems; i-- {
		b := e.BrowseHistory[i]
		if !b.Purchased || known[b.ProductCode] {
			continue
		}
		if known == nil {
			known = map[activity.ID]bool{}
		}
		known[b.ProductCode] = true
		dst = append(dst, Purchase{string(*e.CustomerID), e.SessionID, string(b.ProductCode), e.Place, said})
	}
	return dst
}

// When is the order of the purchase among what is said of the customer.
func (p Purchase) When() activity.Order {
	if p.Said == (activity.Order{}) {
		return p.Order
	}
	return p.Said
}

// hidden are the products that the customer has bought by the event's place and that are not
// recommended again yet, each once, sorted.
func hidden(bought []Bought, place activity.Order, at time.Time) []string {
	last := map[string]Bought{}
	for _, b := range bought {
		if place != (activity.Order{}) && b.Order.After(place) {
			continue // a retry must find what the first attempt found
		}
		if before, known := last[b.Product]; !known || b.Order.After(before.Order) {
			last[b.Product] = b
		}
	}
	var codes []string
	for code, b := range last {
		if b.Repeat.Hides(b.Order.At.Unix(), at) {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}
