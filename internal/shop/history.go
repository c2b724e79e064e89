package shop

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limits of a shop with interactions.
const (
	// MaxIDBytes bounds an id of a product, customer, session or order.
	MaxIDBytes = 128
	// MaxKindBytes bounds the name of a kind of interaction.
	MaxKindBytes = 64
	// MaxKinds bounds how many kinds of interactions a shop has.
	MaxKinds = 256
	// MaxAttributeBytes bounds a text that is an attribute: a longer one is a description and says
	// nothing that products share.
	MaxAttributeBytes = 256
	// MaxQuantity bounds a quantity, and MaxValue a value that is no stars.
	MaxQuantity = 1e9
	MaxValue    = 1e12
)

// The kinds of interactions that kindred knows. A shop may have others.
const (
	KindRating   = "rating"   // the value is its stars
	KindPurchase = "purchase" // one product of one order; a negative quantity or value takes it back
	KindCart     = "cart"
	KindView     = "view"
)

// Money is an amount in ten-thousandths of the currency's unit: decimal(18,4).
type Money int64

// MoneyScale is how many units of Money an amount of one has.
const MoneyScale = 10_000

const maxMoney = 1e14

// ParseMoney reads a decimal or floating-point number of 0 to 10^14. Places after the fourth are
// rounded.
func ParseMoney(s string) (Money, error) {
	amount, err := strconv.ParseFloat(s, 64)
	if err != nil || !(amount >= 0 && amount < maxMoney) {
		return 0, fmt.Errorf("want an amount from 0 to %.0e", maxMoney)
	}
	whole, places, exact := strings.Cut(s, ".")
	if exact && len(places) >= 4 && strings.Trim(places, "0123456789") == "" { // without a detour over binary fractions
		n, err := strconv.ParseInt(whole+places[:4], 10, 64)
		if err == nil && len(places) > 4 && places[4] >= '5' {
			n++
		}
		return Money(n), err
	}
	return Money(math.Round(amount * MoneyScale)), nil
}

// String renders the amount with four places.
func (m Money) String() string { return fmt.Sprintf("%d.%04d", m/MoneyScale, m%MoneyScale) }

// Attribute is a further column of a product or customer: exactly one of its values is set.
type Attribute struct {
	Name   string
	Text   *string
	Number *float64
	Flag   *bool
}

// Listing is a product of a shop with interactions, as the shop's catalogue lists it.
type Listing struct {
	ID         string
	Name       string
	Categories []string // sorted, each once
	Brand      string   // empty: none
	Price      *Money   // nil: not known
	Currency   string
	Available  bool
	Stock      *int64 // nil: not counted
	URL        string
	Image      string
	Attributes []Attribute // sorted by name
}

// Shopper is a customer of a shop with interactions.
type Shopper struct {
	ID         string
	Country    string
	City       string
	Attributes []Attribute // sorted by name
}

// Interaction is one thing that somebody did with a product. Its texts are valid during the call
// that gets it.
type Interaction struct {
	Customer, Session []byte // at least one is not empty
	Product, Kind     []byte
	Order             []byte   // empty: none
	Value, Quantity   *float64 // nil: none
	At                int64    // milliseconds since 1970 UTC, or NoMoment
}

// InteractionName names an interaction in a message, by its product and order. Neither says who the
// customer is.
func InteractionName(product, order []byte) string {
	name := "an interaction"
	if len(product) > 0 {
		name += " with " + ProductName(string(product))
	}
	if len(order) > 0 {
		name += " of order " + strconv.Quote(string(order[:min(len(order), MaxIDBytes)]))
	}
	return name
}

// NoMoment is the At of an interaction whose time is not known.
const NoMoment = math.MinInt64

// The rules of a shop with interactions, besides those of products and customers.
const (
	InteractionKey  Rule = "interactions.missing_key" // no product, or neither customer nor session; left out
	InteractionID   Rule = "interactions.bad_id"      // an id that is too long or no text; left out
	InteractionKind Rule = "interactions.bad_kind"    // none, too long, no text or one too many; left out
	// stars not from 1 to 5, or a value beyond MaxValue; left out
	InteractionValue    Rule = "interactions.bad_value"
	InteractionQuantity Rule = "interactions.bad_quantity"     // 0, or beyond MaxQuantity; left out
	InteractionProduct  Rule = "interactions.unknown_product"  // left out
	InteractionCustomer Rule = "interactions.unknown_customer" // not among the customers; kept, without country and city
	InteractionOrder    Rule = "interactions.bad_order"        // an order id that is too long or no text; kept without it
	InteractionTime     Rule = "interactions.bad_time"         // a date that does not exist; kept without a time
	InteractionFuture   Rule = "interactions.future_time"      // kept

	ProductCategories Rule = "products.bad_categories" // JSON that is no list of texts; taken as none
	ProductAttribute  Rule = "products.bad_attribute"  // longer than MaxAttributeBytes or no text; left out
	CustomerAttribute Rule = "customers.bad_attribute" // likewise
)

// CustomerID names a customer of a shop with interactions in a message.
func CustomerID(id string) string { return "customer " + strconv.Quote(id) }
