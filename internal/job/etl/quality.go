package etl

import (
	"fmt"
	"slices"
	"strings"

	"kindred/internal/shop"
)

// Counts is what the rows of a shop were measured by. Those of the ratings come first.
type Counts struct {
	Read            int64 `json:"read"`                     // all ratings of the source
	MissingKey      int64 `json:"missing_key"`              // no usable customer number or product code; left out
	StarsRange      int64 `json:"stars_out_of_range"`       // not from 1 to 5, or none; left out
	BadText         int64 `json:"bad_text,omitempty"`       // the product code is not text; left out
	BadDate         int64 `json:"bad_date,omitempty"`       // a date that does not exist; kept without it
	UnknownCustomer int64 `json:"unknown_customer"`         // left out; one that lacks both counts here
	UnknownProduct  int64 `json:"unknown_product"`          // left out
	Duplicate       int64 `json:"duplicate"`                // older than another of the same pair; left out
	FutureDate      int64 `json:"future_date"`              // rated more than a day after the reading; kept
	OtherSpelling   int64 `json:"other_spelling,omitempty"` // the code is the product's only by collation; kept

	Customers TableCounts `json:"customers,omitzero"`
	Products  TableCounts `json:"products,omitzero"`
}

// TableCounts is what the rows of customers or of products were measured by. Rows are left out; of
// a row with a bad value only the value is.
type TableCounts struct {
	Read         int64 `json:"read"`
	BadKey       int64 `json:"bad_key,omitempty"`       // left out
	Duplicate    int64 `json:"duplicate,omitempty"`     // the key is there twice; one is left out
	MissingValue int64 `json:"missing_value,omitempty"` // NULL where a value is wanted; taken as "" or 0
	BadText      int64 `json:"bad_text,omitempty"`      // not UTF-8, or with a NUL; taken as not known
	BadAmount    int64 `json:"bad_amount,omitempty"`    // no decimal(10,2), or a negative price; taken as not known
	BadStock     int64 `json:"bad_stock,omitempty"`     // of products: taken as the nearest that can be kept
	InStock      int64 `json:"in_stock,omitempty"`      // of products: how many are kept with a stock above 0
}

// ratingCounts are the counts of the ratings' rules.
func (c *Counts) ratingCounts() map[shop.Rule]*int64 {
	return map[shop.Rule]*int64{
		shop.RatingKey: &c.MissingKey, shop.RatingStars: &c.StarsRange, shop.RatingText: &c.BadText,
		shop.RatingDate: &c.BadDate, shop.RatingCustomer: &c.UnknownCustomer, shop.RatingProduct: &c.UnknownProduct,
		shop.RatingTwice: &c.Duplicate, shop.RatingFuture: &c.FutureDate, shop.RatingSpelling: &c.OtherSpelling,
	}
}

// tableCounts are the counts of the rules of customers and products.
func (c *Counts) tableCounts() map[shop.Rule]*int64 {
	return map[shop.Rule]*int64{
		shop.CustomerKey: &c.Customers.BadKey, shop.CustomerTwice: &c.Customers.Duplicate,
		shop.CustomerValue: &c.Customers.MissingValue, shop.CustomerText: &c.Customers.BadText,
		shop.CustomerAmount: &c.Customers.BadAmount,
		shop.ProductKey:     &c.Products.BadKey, shop.ProductTwice: &c.Products.Duplicate,
		shop.ProductValue: &c.Products.MissingValue, shop.ProductText: &c.Products.BadText,
		shop.ProductAmount: &c.Products.BadAmount, shop.ProductStock: &c.Products.BadStock,
	}
}

// take copies what the reading and the join have found. good is the ratings that the source gave.
func (c *Counts) take(f *shop.Faults, good int64) {
	for rule, count := range c.ratingCounts() {
		*count = f.Count(rule)
	}
	c.Read = good + c.MissingKey + c.StarsRange
}

// add sums up the ratings' counts of partitions.
func (c *Counts) add(other Counts) {
	c.Read += other.Read
	theirs := other.ratingCounts()
	for rule, count := range c.ratingCounts() {
		*count += *theirs[rule]
	}
}

func (c Counts) orphans() int64 { return c.UnknownCustomer + c.UnknownProduct }

// leftOut is the ratings that are in no file.
func (c Counts) leftOut() int64 {
	return c.MissingKey + c.StarsRange + c.BadText + c.orphans() + c.Duplicate
}

// Limits are the shares, 0 to 1, of a table's rows up to which a rule may be broken. More of them
// refuse the set, and the old one stays.
type Limits struct {
	MissingKeys float64 `name:"max-missing-keys" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the ratings or interactions have no usable product id, or no usable id of a customer or session. Otherwise such rows are left out." json:"missing_keys"`
	StarsRange  float64 `name:"max-bad-stars" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the ratings or interactions have stars that are not from 1 to 5, or a value that is too large. Otherwise such rows are left out." json:"bad_stars"`
	Orphans     float64 `name:"max-orphans" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the ratings name an unknown customer or product, or if more than this share of the interactions name an unknown product. Otherwise such rows are left out." json:"orphans"`
	Duplicates  float64 `name:"max-duplicates" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the ratings repeat a customer and product. Otherwise the newest rating of each pair is kept." json:"duplicates"`
	FutureDates float64 `name:"max-future-dates" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the ratings or interactions are dated more than a day ahead of now. Otherwise such rows are kept." json:"future_dates"`
	BadDates    float64 `name:"max-bad-dates" default:"0.5" help:"Refuse the set if more than this share (0 to 1) of the ratings or interactions have a date that does not exist, such as 2025-00-15. Otherwise such rows are kept without the date." json:"bad_dates"`
	BadText     float64 `name:"max-bad-text" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the rows of one table have bad text: text that is not UTF-8, holds a NUL, or is longer than 128 bytes if it is an order's id or an id in a rating. Otherwise such ratings are left out, and other rows are kept without the text." json:"bad_text"`
	Customers   float64 `name:"max-bad-customers" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the customers have no usable id, or the id of another customer. Otherwise such customers are left out. One such customer is always allowed, unless the share is 0." json:"bad_customers"`
	Products    float64 `name:"max-bad-products" default:"0.01" help:"Refuse the set if more than this share (0 to 1) of the products have no usable id, or the id of another product. Otherwise such products are left out. One such product is always allowed, unless the share is 0." json:"bad_products"`
	Values      float64 `name:"max-missing-values" default:"0.5" help:"Refuse the set if more than this share (0 to 1) of the customers or products have NULL in a column that needs a value. Otherwise NULL is read as empty text or as 0." json:"missing_values"`
	Amounts     float64 `name:"max-bad-amounts" default:"0.5" help:"Refuse the set if more than this share (0 to 1) of the customers or products have an amount that is negative or does not fit decimal(10,2). Otherwise such a price is read as 0, and such a credit limit as unknown." json:"bad_amounts"`
	Stock       float64 `name:"max-bad-stock" default:"0.5" help:"Refuse the set if more than this share (0 to 1) of the products have a stock below -32768 or above 32767. Otherwise the nearer limit is used." json:"bad_stock"`

	History HistoryLimits `embed:"" json:"interactions,omitzero"`
}

// Validate reports every share that is none, NaN too.
func (l Limits) Validate() error {
	var problems []string
	seen := map[string]bool{}
	for _, r := range append(rules(Counts{}, l), historyRules(HistoryCounts{}, l)...) {
		if !(r.limit >= 0 && r.limit <= 1) && !seen[r.flag] {
			seen[r.flag] = true
			problems = append(problems, fmt.Sprintf("--%s is %g, want 0 to 1", r.flag, r.limit))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	return nil
}

// rule is one declared rule with what was found.
type rule struct {
	flag   string
	table  string // whose rows it is a share of
	what   string // "n of m ratings …"
	count  int64
	of     int64
	limit  float64
	oneMay bool        // one row is allowed, however few there are
	broken []shop.Rule // whose examples it has
}

func rules(c Counts, l Limits) []rule {
	ratings := func(flag, what string, count int64, limit float64, broken ...shop.Rule) rule {
		return rule{flag: flag, table: "ratings", what: what, count: count, of: c.Read, limit: limit, broken: broken}
	}
	all := []rule{
		ratings("max-missing-keys", "lack a customer or a product id", c.MissingKey, l.MissingKeys, shop.RatingKey),
		ratings("max-bad-stars", "are not from 1 to 5 stars", c.StarsRange, l.StarsRange, shop.RatingStars),
		ratings("max-orphans", fmt.Sprintf("have no customer or no product (%d customer unknown, %d product unknown)",
			c.UnknownCustomer, c.UnknownProduct), c.orphans(), l.Orphans, shop.RatingCustomer, shop.RatingProduct),
		ratings("max-duplicates", "repeat a customer and product", c.Duplicate, l.Duplicates, shop.RatingTwice),
		ratings("max-future-dates", "are dated in the future", c.FutureDate, l.FutureDates, shop.RatingFuture),
		ratings("max-bad-dates", "have a date that does not exist", c.BadDate, l.BadDates, shop.RatingDate),
		ratings("max-bad-text", "have a customer or product id that is not text of at most 128 bytes", c.BadText, l.BadText,
			shop.RatingText),
	}
	all = append(all, tableRules("customers", c.Customers, l, l.Customers, "max-bad-customers", [...]shop.Rule{
		shop.CustomerKey, shop.CustomerTwice, shop.CustomerValue, shop.CustomerText, shop.CustomerAmount})...)
	all = append(all, tableRules("products", c.Products, l, l.Products, "max-bad-products", [...]shop.Rule{
		shop.ProductKey, shop.ProductTwice, shop.ProductValue, shop.ProductText, shop.ProductAmount})...)
	return append(all, rule{flag: "max-bad-stock", table: "products", what: "have a stock that does not fit",
		count: c.Products.BadStock, of: c.Products.Read, limit: l.Stock, oneMay: true,
		broken: []shop.Rule{shop.ProductStock}})
}

// tableRules are those that customers and products share. names are theirs: key, twice, value,
// text, amount.
func tableRules(table string, c TableCounts, l Limits, rows float64, flag string, names [5]shop.Rule) []rule {
	share := func(flag, what string, count int64, limit float64, broken ...shop.Rule) rule {
		return rule{flag: flag, table: table, what: what, count: count, of: c.Read, limit: limit, oneMay: true,
			broken: broken}
	}
	return []rule{
		share(flag, "have no key that can be used, or another row's", c.BadKey+c.Duplicate, rows, names[0], names[1]),
		share("max-missing-values", "are NULL where a value is wanted", c.MissingValue, l.Values, names[2]),
		share("max-bad-text", "have text that is not UTF-8 or holds a NUL", c.BadText, l.BadText, names[3]),
		share("max-bad-amounts", "have an amount that cannot be kept", c.BadAmount, l.Amounts, names[4]),
	}
}

// exceeded reports whether the rule was broken beyond its limit.
func (r rule) exceeded() bool {
	allowed := r.limit * float64(r.of)
	if r.oneMay && r.limit > 0 {
		allowed = max(allowed, 1)
	}
	return float64(r.count) > allowed
}

// sentence says what was found, with the keys of a few rows.
func (r rule) sentence(examples shop.Examples) string {
	s := fmt.Sprintf("%d of %d %s %s, at most %.3g %% may (--%s)", r.count, r.of, r.table, r.what, 100*r.limit, r.flag)
	if texts := r.examples(examples); len(texts) > 0 {
		s += ", such as " + strings.Join(texts, ", ")
	}
	return s
}

// examples are a few, of each of the broken rules the first.
func (r rule) examples(all shop.Examples) (texts []string) {
	const shown = 3
	for i := range shown {
		for _, name := range r.broken {
			if i < len(all[name]) && len(texts) < shown && !slices.Contains(texts, all[name][i]) {
				texts = append(texts, all[name][i])
			}
		}
	}
	return texts
}

// broken lists every rule that is broken beyond its limit.
func (c Counts) broken(l Limits, examples shop.Examples) []string {
	return exceeded(rules(c, l), examples)
}

// exceeded says of each rule that is broken beyond its limit what was found.
func exceeded(all []rule, examples shop.Examples) (sentences []string) {
	for _, r := range all {
		if r.exceeded() {
			sentences = append(sentences, r.sentence(examples))
		}
	}
	return sentences
}

// check reports, in one sentence, every rule that is broken beyond its limit.
func (c Counts) check(l Limits, examples shop.Examples) error {
	if c.Read == 0 {
		return fmt.Errorf("%w: there are no ratings", ErrEmpty)
	}
	broken := c.broken(l, examples)
	if len(broken) == 0 && c.leftOut() == c.Read {
		broken = []string{"not one rating is left"}
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; the old training set stays", ErrQuality, strings.Join(broken, "; "))
}
