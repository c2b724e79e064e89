package shop

import (
	"maps"
	"slices"
	"strconv"

	"kindred/internal/platform/text"
)

// Rule is what a row of a shop, or one value of it, can break: "table.rule".
type Rule string

// The rules. A row without a usable key is left out; a value that cannot be used is taken as not
// known, or as the nearest that can be. Both are counted.
const (
	RatingKey      Rule = "ratings.missing_key"        // no usable customer or product id; left out
	RatingStars    Rule = "ratings.stars_out_of_range" // not from MinStars to MaxStars, or none; left out
	RatingText     Rule = "ratings.bad_text"           // an id is not text of at most 128 bytes; left out
	RatingDate     Rule = "ratings.bad_date"           // a date that does not exist; kept without a date
	RatingCustomer Rule = "ratings.unknown_customer"   // left out
	RatingProduct  Rule = "ratings.unknown_product"    // left out
	RatingTwice    Rule = "ratings.duplicate"          // the pair was rated more than once; the newest is kept
	RatingFuture   Rule = "ratings.future_date"        // kept
	// the collation holds an id equal to a customer's or product's; kept
	RatingSpelling Rule = "ratings.other_spelling"

	CustomerKey    Rule = "customers.bad_key"       // left out
	CustomerTwice  Rule = "customers.duplicate"     // one is kept
	CustomerValue  Rule = "customers.missing_value" // NULL where a value is wanted; taken as ""
	CustomerText   Rule = "customers.bad_text"      // taken as not known
	CustomerAmount Rule = "customers.bad_amount"    // taken as not known

	ProductKey    Rule = "products.bad_key"       // left out
	ProductTwice  Rule = "products.duplicate"     // one is kept
	ProductValue  Rule = "products.missing_value" // NULL where a value is wanted; taken as "" or 0
	ProductText   Rule = "products.bad_text"      // taken as ""
	ProductAmount Rule = "products.bad_amount"    // taken as 0, which stands for "not known"
	ProductStock  Rule = "products.bad_stock"     // taken as the nearest number that can be kept
)

// maxExamples bounds the examples of a rule, in memory and in a report.
const maxExamples = 5

// Faults counts the rows and values that break a rule, with a few examples of each. It is for one
// goroutine. The zero value is ready.
type Faults struct {
	counts   map[Rule]int64
	examples map[Rule][]string
}

// Add counts one fault. example names the row by its key and says what is wrong; it never shows a
// customer's values. It is called for the first few faults of a rule only.
func (f *Faults) Add(rule Rule, example func() string) {
	if f.counts == nil {
		f.counts, f.examples = map[Rule]int64{}, map[Rule][]string{}
	}
	f.counts[rule]++
	if len(f.examples[rule]) < maxExamples {
		f.examples[rule] = append(f.examples[rule], example())
	}
}

// Count is how often the rule was broken.
func (f *Faults) Count(rule Rule) int64 { return f.counts[rule] }

// Examples are the first few faults of each rule that was broken.
func (f *Faults) Examples() Examples { return maps.Clone(f.examples) }

// Examples are a few faults of each rule, each a sentence that names its row by its key.
type Examples map[Rule][]string

// Add joins the examples of another part of the same shop.
func (e *Examples) Add(other Examples) {
	if *e == nil && len(other) > 0 {
		*e = Examples{}
	}
	for rule, texts := range other {
		all := slices.Clone((*e)[rule])
		for _, text := range texts {
			if len(all) < maxExamples && !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
		(*e)[rule] = all
	}
}

// CustomerName names a customer in a message, so that every byte of an id that is no number can be
// seen.
func CustomerName(id string) string {
	if _, whole := text.Integer(id); whole {
		return "customer " + id
	}
	return "customer " + strconv.Quote(id)
}

// ProductName names a product in a message, so that every byte of its code can be seen.
func ProductName(code string) string { return "product " + strconv.Quote(code) }

// RatingName names a rating in a message.
func RatingName(customer, product string) string {
	return "rating of " + CustomerName(customer) + " for " + ProductName(product)
}
