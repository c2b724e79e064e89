// Package rule is the language in which a shop says which products: conditions on a product's facts,
// such as `product.price < 20.0 && "trains" in product.categories`. It is a subset of CEL
// (docs/formats.md states it; https://cel.dev). An expression is compiled once, and then answers in
// three ways that always agree: for one product (Match), for all products in memory at once (Mask), and
// as a condition in SQL. The package also rescores (Boosted). It owns the language and the form in which
// the facts lie in memory. It knows no database and no HTTP, and does not say what can be bought: its
// caller does, with each product.
package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Product is what is known of a product now: a row of kindred.product_state. A nil field is not known.
type Product struct {
	ID                                string
	Name, Brand, Currency, URL, Image *string
	Categories                        []string
	Price                             *Decimal
	Stock                             *int64
	Available                         bool           // it can be bought: as its state says, else as the version does
	Attributes                        map[string]any // string, float64 or bool; values of other types are not known
	FirstSeen                         time.Time      // zero: not known. What is below a microsecond does not count
}

// Decimal is an exact number with four decimal places, such as a price: in ten-thousandths.
type Decimal int64

// decimalPlaces is how many digits of a Decimal are behind the point, and decimalDigits how many it has in
// all: those of a numeric(18, 4).
const (
	decimalPlaces = 4
	decimalDigits = 18
)

// ParseDecimal reads a number as PostgreSQL writes it, such as 19.9900.
func ParseDecimal(s string) (Decimal, error) {
	whole, part, _ := strings.Cut(s, ".")
	digits := strings.TrimPrefix(whole, "-")
	if digits == "" || strings.HasSuffix(s, ".") || strings.Trim(digits+part, "0123456789") != "" ||
		len(digits) > decimalDigits-decimalPlaces || len(part) > decimalPlaces {
		return 0, fmt.Errorf("%q is not a number with at most %d digits before the point and %d after it", s,
			decimalDigits-decimalPlaces, decimalPlaces)
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", decimalPlaces-len(part)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the number %q: %w", s, err)
	}
	return Decimal(n), nil
}

// String writes the number with as many decimal places as it needs.
func (d Decimal) String() string { return number{int64(d), decimalPlaces}.String() }

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	root node
	text string
}

// String is the expression in one spelling: expressions that differ only in spaces, quotes, brackets, the
// order of conditions, or the spelling of numbers have the same. It compiles to an equal expression,
// unless it is longer than the text that was compiled, and too long.
func (e *Expr) String() string { return e.text }

// Match says whether the expression holds for a product.
func (e *Expr) Match(p *Product) bool { return e.root.match(p) }

// A SyntaxError says what is wrong with the text of an expression, and where. It repeats no part of the text.
type SyntaxError struct {
	Column  int // of the text, in characters, from 1
	Problem string
}

// Error names the column and the problem.
func (e *SyntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Problem) }
