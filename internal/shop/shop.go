// Package shop holds the source domain: customers, products and the ratings between them, as a shop's MySQL
// keeps them. It imports no technology, and of this module only the rule for text.
package shop

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kindred/internal/platform/text"
)

// Limits of the source schema, checked by Validate.
const (
	MinStars        = 1
	MaxStars        = 5
	MaxName         = 70 // characters, products.productName varchar(70)
	MaxCustomerName = 50 // characters, customers.customerName varchar(50)
	MaxCents        = Cents(99_999_999_99)
)

// Cents is an amount of money in hundredths: decimal(10,2) without rounding.
type Cents int64

// String renders the amount as MySQL prints decimal(10,2): "-12.05".
func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
}

// ParseCents reads what MySQL prints for decimal(10,2). More than two decimals is an error, never a rounding.
func ParseCents(s string) (Cents, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if len(fraction) > 2 || strings.ContainsAny(digits, "+-") {
		return 0, fmt.Errorf("amount %q is not a decimal number with two places", s)
	}
	n, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if err != nil || whole == "" || Cents(n) > MaxCents {
		return 0, fmt.Errorf("amount %q is not a decimal(10,2)", s)
	}
	if negative {
		n = -n
	}
	return Cents(n), nil
}

// Customer is a row of customers. State, PostalCode and CreditLimit may be NULL.
type Customer struct {
	ID          string // by the rule of text.CheckID; an integer key in its decimal form
	Name        string
	City        string
	State       *string
	PostalCode  *string
	Country     string
	CreditLimit *Cents
}

// Product is a row of products.
type Product struct {
	Code            string // its id, by the rule of text.CheckID; an integer key in its decimal form
	Name            string
	Line            string
	Scale           string
	Vendor          string
	QuantityInStock int16
	BuyPrice        Cents
	MSRP            Cents
}

// Rating is a row of ratings: one customer's stars for one product. RatedAt is UTC with whole
// seconds, and may be NULL.
type Rating struct {
	CustomerID  string
	ProductCode string
	Stars       int8
	RatedAt     *time.Time
}

// Validate reports every broken rule of the row at once.
func (p Product) Validate() error {
	var problems []error
	if err := text.CheckID(p.Code); err != nil {
		problems = append(problems, fmt.Errorf("product code %q %w", p.Code, err))
	}
	if p.BuyPrice < 0 || p.MSRP < 0 {
		problems = append(problems, fmt.Errorf("product %s has a negative price", p.Code))
	}
	return errors.Join(problems...)
}

// Validate reports whether the stars are in range and both keys are present.
func (r Rating) Validate() error {
	var problems []error
	if r.Stars < MinStars || r.Stars > MaxStars {
		problems = append(problems, fmt.Errorf("%s has %d stars, want %d to %d",
			RatingName(r.CustomerID, r.ProductCode), r.Stars, MinStars, MaxStars))
	}
	if r.ProductCode == "" {
		problems = append(problems, fmt.Errorf("rating of %s names no product", CustomerName(r.CustomerID)))
	}
	return errors.Join(problems...)
}
