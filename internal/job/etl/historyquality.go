package etl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
)

// HistoryCounts is what the rows of a shop with interactions were measured by.
type HistoryCounts struct {
	Interactions int64 `json:"interactions"` // rows of the source
	Customers    int64 `json:"customers"`
	Products     int64 `json:"products"`
	Available    int64 `json:"available"` // products that can be bought now
	Guests       int64 `json:"guests"`    // kept interactions without a customer
	// GuestSessions are the sessions of Guests: train learns each like a customer (trainingset.Guests).
	GuestSessions int64               `json:"guest_sessions"`
	Kinds         map[string]int64    `json:"kinds"`            // kept interactions
	Broken        map[shop.Rule]int64 `json:"broken,omitempty"` // how often a rule was broken
}

// HistoryLimits are the limits that only interactions have.
type HistoryLimits struct {
	Kinds      float64 `name:"max-bad-kinds" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the interactions have no usable kind. Otherwise such interactions are left out." json:"bad_kinds"`
	Quantities float64 `name:"max-bad-quantities" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the interactions have a quantity of 0 or beyond 1,000,000,000. Otherwise such interactions are left out." json:"bad_quantities"`
	Strangers  float64 `name:"max-unknown-customers" default:"1" help:"Refuse the set if more than this share (0 to 1) of the interactions name a customer who is not among the customers. Otherwise such interactions are kept, and the customer is added without country, city and attributes." json:"unknown_customers"`
	Attributes float64 `name:"max-bad-attributes" default:"0.5" help:"Refuse the set if more than this share (0 to 1) of the products or customers have categories that are not a list of texts, or an attribute that is too long or not valid text. Otherwise the value is left out." json:"bad_attributes"`
}

// leftOut are the rules that keep an interaction out of the set.
var leftOut = []shop.Rule{shop.InteractionKey, shop.InteractionID, shop.InteractionKind, shop.InteractionValue,
	shop.InteractionQuantity, shop.InteractionProduct}

// historyRules are all rules of a shop with interactions, and those that only inform.
var historyFaults = append(slices.Clone(leftOut), shop.InteractionCustomer, shop.InteractionOrder, shop.InteractionTime,
	shop.InteractionFuture, shop.ProductKey, shop.ProductTwice, shop.ProductValue, shop.ProductText, shop.ProductAmount,
	shop.ProductStock, shop.ProductCategories, shop.ProductAttribute, shop.CustomerKey, shop.CustomerTwice,
	shop.CustomerText, shop.CustomerAttribute)

// take copies what the reading and the collecting have found.
func (c *HistoryCounts) take(from *collector) {
	c.Broken = map[shop.Rule]int64{}
	for _, rule := range historyFaults {
		if n := from.faults.Count(rule); n > 0 {
			c.Broken[rule] = n
		}
	}
	c.Interactions = from.read
	for _, rule := range leftOut {
		if rule != shop.InteractionProduct { // the collector has read those
			c.Interactions += c.Broken[rule]
		}
	}
	for _, p := range from.h.Products {
		if p.Available {
			c.Available++
		}
	}
	counted := make([]bool, len(from.h.Sessions))
	for i := range from.h.Entries {
		e := &from.h.Entries[i]
		c.Kinds[from.h.Kinds[e.Kind]]++
		if e.Customer != trainingset.None {
			continue
		}
		if c.Guests++; !counted[e.Session] {
			counted[e.Session] = true
			c.GuestSessions++
		}
	}
}

func (c HistoryCounts) rows(h *trainingset.History) Rows {
	return Rows{Interactions: int64(len(h.Entries)), Customers: int64(len(h.Customers)), Products: int64(len(h.Products))}
}

// kept is the interactions that are in the set.
func (c HistoryCounts) kept() (n int64) {
	for _, count := range c.Kinds {
		n += count
	}
	return n
}

func historyRules(c HistoryCounts, l Limits) []rule {
	make := func(table string, of int64) func(string, string, float64, ...shop.Rule) rule {
		return func(flag, what string, limit float64, broken ...shop.Rule) rule {
			r := rule{flag: flag, table: table, what: what, of: of, limit: limit, broken: broken,
				oneMay: table != "interactions"}
			for _, b := range broken {
				r.count += c.Broken[b]
			}
			return r
		}
	}
	of, products, customers := make("interactions", c.Interactions), make("products", c.Products),
		make("customers", c.Customers)
	return []rule{
		of("max-missing-keys", "lack a product, or both a customer and a session, or have an id that cannot be used",
			l.MissingKeys, shop.InteractionKey, shop.InteractionID),
		of("max-orphans", "name a product that is missing", l.Orphans, shop.InteractionProduct),
		of("max-unknown-customers", "name a customer who is not among the customers", l.History.Strangers,
			shop.InteractionCustomer),
		of("max-bad-kinds", "have no usable kind", l.History.Kinds, shop.InteractionKind),
		of("max-bad-stars", "are ratings that are not from 1 to 5 stars, or have a value that is too large", l.StarsRange,
			shop.InteractionValue),
		of("max-bad-quantities", "have a quantity of 0 or one that is too large", l.History.Quantities,
			shop.InteractionQuantity),
		of("max-bad-text", "have an order id that cannot be used", l.BadText, shop.InteractionOrder),
		of("max-bad-dates", "have a date that does not exist", l.BadDates, shop.InteractionTime),
		of("max-future-dates", "are dated in the future", l.FutureDates, shop.InteractionFuture),
		products("max-bad-products", "have no id that can be used, or another row's", l.Products, shop.ProductKey,
			shop.ProductTwice),
		products("max-missing-values", "are NULL where a value is wanted", l.Values, shop.ProductValue),
		products("max-bad-text", "have text that is not UTF-8 or holds a NUL", l.BadText, shop.ProductText),
		products("max-bad-amounts", "have a price that cannot be kept", l.Amounts, shop.ProductAmount),
		products("max-bad-stock", "have a stock that does not fit", l.Stock, shop.ProductStock),
		products("max-bad-attributes", "have categories or an attribute that cannot be kept", l.History.Attributes,
			shop.ProductCategories, shop.ProductAttribute),
		customers("max-bad-customers", "have no id that can be used, or another row's", l.Customers, shop.CustomerKey,
			shop.CustomerTwice),
		customers("max-bad-text", "have text that is not UTF-8 or holds a NUL", l.BadText, shop.CustomerText),
		customers("max-bad-attributes", "have an attribute that cannot be kept", l.History.Attributes,
			shop.CustomerAttribute),
	}
}

// broken lists every rule that is broken beyond its limit.
func (c HistoryCounts) broken(l Limits, examples shop.Examples) []string {
	return exceeded(historyRules(c, l), examples)
}

// check reports, in one sentence, every rule that is broken beyond its limit.
func (c HistoryCounts) check(l Limits, examples shop.Examples) error {
	if c.Interactions == 0 {
		return fmt.Errorf("%w: there are no interactions", ErrEmpty)
	}
	broken := c.broken(l, examples)
	if len(broken) == 0 && c.kept() == 0 {
		broken = []string{"not one interaction is left"}
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; the old training set stays", ErrQuality, strings.Join(broken, "; "))
}

// sentence tells a person what was kept, and what was left out or replaced.
func (c HistoryCounts) sentence(examples shop.Examples) string {
	var b strings.Builder
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(c.Kinds)) {
		kinds = append(kinds, group(c.Kinds[kind])+" of kind "+kind)
	}
	fmt.Fprintf(&b, "\n%s; %s of them by guests. %s products can be bought now.", strings.Join(kinds, ", "),
		group(c.Guests), group(c.Available))
	for _, r := range historyRules(c, Limits{}) {
		if r.count == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s of %s %s %s", group(r.count), group(r.of), r.table, r.what)
		if texts := r.examples(examples); len(texts) > 0 {
			fmt.Fprintf(&b, " (such as %s)", texts[0])
		}
		b.WriteString(".")
	}
	return b.String()
}
