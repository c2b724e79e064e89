package activity

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Visit is an event of which is kept what its visitor did: so later events need not say it again.
type Visit struct {
	EventID  string  // "" if it came over HTTP without one
	Session  string  // "": none
	Customer string  // "": an anonymous visitor
	Clicks   []Click // oldest first
	Place    Order   // of the event, as Event.Place
	Order    Order   // of what was done: by when it occurred
}

// Click is one thing that a visitor did.
type Click struct {
	Product string
	Kind    ClickKind
}

// ClickKind says what was done with a product.
type ClickKind string

// What a visitor does with a product.
const (
	ClickView     ClickKind = "view"
	ClickCart     ClickKind = "cart"     // it was put into the cart
	ClickPurchase ClickKind = "purchase" // it was bought
	ClickRemove   ClickKind = "remove"   // it was taken out of the cart
	ClickRating   ClickKind = "rating"   // it was rated
)

// MaxKept is how many events, and how many clicks, are kept of a session and of a customer.
const MaxKept = 200

// continues reads an activity record that says only what is new. problem is the first broken rule.
func (e *Event) continues() (problem string) {
	if problem := e.problem(); problem != "" {
		return problem
	}
	if len(e.BrowseHistory) > MaxKept {
		return fmt.Sprintf("browse_history has %d entries, and of a session that is continued at most %d are kept: leave "+
			"continues_session out", len(e.BrowseHistory), MaxKept)
	}
	e.Visit = &Visit{EventID: e.EventID, Session: e.SessionID}
	if e.CustomerID != nil {
		e.Visit.Customer = string(*e.CustomerID)
	}
	for _, b := range e.BrowseHistory {
		click := Click{string(b.ProductCode), ClickView}
		if b.InShoppingCart {
			click.Kind = ClickCart
		}
		e.Visit.Clicks = append(e.Visit.Clicks, click)
	}
	return e.when()
}

// parseInteraction reads what an interaction event says. problem is the first broken rule.
func (e *Event) parseInteraction(data []byte) (v *Visit, problem string) {
	var named map[string]jsontext.Value
	var said struct {
		Kind        ClickKind `json:"kind"`
		ProductCode ID        `json:"product_code"`
		Value       *float64  `json:"value"`
		// Of the answer that showed the product; feedback reads it.
		RecommendationID string `json:"recommendation_id"`
	}
	var quantity struct {
		Quantity Quantity `json:"quantity"`
	}
	if json.Unmarshal(data, &named) != nil {
		return nil, "the event is not a JSON object"
	}
	problem = misspelt(named, "kind", "customer_number", "session_id", "product_code", "quantity", "value",
		"recommendation_id")
	kinds := []ClickKind{ClickView, ClickCart, ClickPurchase, ClickRemove, ClickRating}
	switch {
	case problem != "":
		return nil, problem
	case json.Unmarshal(data, &quantity) != nil:
		return nil, "quantity is no whole number from 0 to 2147483647"
	case json.Unmarshal(data, &said) != nil:
		return nil, "product_code is no id, kind is no text, value is no number, or recommendation_id is no text"
	case !slices.Contains(kinds, said.Kind):
		return nil, "kind is none of view, cart, purchase, remove and rating"
	case said.Kind == ClickRating && said.Value == nil:
		return nil, "a rating has no value"
	case utf8.RuneCountInString(said.RecommendationID) > MaxID:
		return nil, fmt.Sprintf("recommendation_id has more than %d characters", MaxID)
	case said.ProductCode.problem() != "":
		return nil, "product_code " + said.ProductCode.problem()
	case e.SessionID == "" && e.CustomerID == nil:
		return nil, "session_id and customer_number are both missing"
	case utf8.RuneCountInString(e.SessionID) > MaxID:
		return nil, fmt.Sprintf("session_id has more than %d characters", MaxID)
	case e.CustomerID != nil && e.CustomerID.problem() != "":
		return nil, "customer_number " + e.CustomerID.problem()
	}
	v = &Visit{EventID: e.EventID, Session: e.SessionID, Clicks: []Click{{string(said.ProductCode), said.Kind}}}
	if e.CustomerID != nil {
		v.Customer = string(*e.CustomerID)
	}
	return v, ""
}
