package importer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kindred/internal/shop"
)

// readCSV reads customers.csv, products.csv and ratings.csv, whose columns have the schema's names.
// Only the keys, the stars and the product's name are required; a column that is missing is empty,
// 0, or one piece in stock.
func readCSV(folder string, s *Shop) error {
	s.Kind = KindCSV
	if err := eachRow(folder, "customers.csv", []string{"customerNumber"}, func(t *table) error {
		c, err := customerRow(t)
		s.Customers = append(s.Customers, c)
		return err
	}); err != nil {
		return err
	}
	if err := eachRow(folder, "products.csv", []string{"productCode", "productName"}, func(t *table) error {
		p, err := productRow(t)
		s.Products = append(s.Products, p)
		return err
	}); err != nil {
		return err
	}
	codes := s.codes()
	return eachRow(folder, "ratings.csv", []string{"customerNumber", "productCode", "productRating"},
		func(t *table) error {
			r, err := ratingRow(t, codes)
			s.Ratings = append(s.Ratings, r)
			return err
		})
}

func customerRow(t *table) (shop.Customer, error) {
	number, err := t.number("customerNumber", 32)
	if err != nil {
		return shop.Customer{}, err
	}
	c := shop.Customer{
		Number:     int32(number),
		Name:       strings.Clone(truncate(t.text("customerName"), shop.MaxCustomerName)),
		City:       strings.Clone(t.text("city")),
		Country:    strings.Clone(t.text("country")),
		State:      t.optional("state"),
		PostalCode: t.optional("postalCode"),
	}
	if credit := t.optional("creditLimit"); credit != nil {
		cents, err := shop.ParseCents(*credit)
		if err != nil {
			return c, fmt.Errorf("creditLimit: %w", err)
		}
		c.CreditLimit = &cents
	}
	return c, nil
}

func productRow(t *table) (shop.Product, error) {
	p := shop.Product{
		Code:            strings.Clone(t.text("productCode")),
		Name:            strings.Clone(truncate(t.text("productName"), shop.MaxName)),
		Line:            strings.Clone(t.text("productLine")),
		Scale:           strings.Clone(t.text("productScale")),
		Vendor:          strings.Clone(t.text("productVendor")),
		QuantityInStock: 1,
	}
	if t.optional("quantityInStock") != nil {
		stock, err := t.number("quantityInStock", 16)
		if err != nil {
			return p, err
		}
		p.QuantityInStock = int16(stock)
	}
	for column, amount := range map[string]*shop.Cents{"buyPrice": &p.BuyPrice, "MSRP": &p.MSRP} {
		if v := t.optional(column); v != nil {
			cents, err := shop.ParseCents(*v)
			if err != nil {
				return p, fmt.Errorf("%s: %w", column, err)
			}
			*amount = cents
		}
	}
	return p, nil
}

func ratingRow(t *table, codes codes) (shop.Rating, error) {
	number, err := t.number("customerNumber", 32)
	if err != nil {
		return shop.Rating{}, err
	}
	stars, err := t.number("productRating", 8)
	if err != nil {
		return shop.Rating{}, err
	}
	r := shop.Rating{CustomerNumber: int32(number), ProductCode: codes.of(t.text("productCode")), Stars: int8(stars)}
	if at := t.optional("ratedAt"); at != nil {
		if r.RatedAt, err = parseTime(*at); err != nil {
			return r, err
		}
	}
	return r, r.Validate()
}

// number reads a whole number of at most bits bits.
func (t *table) number(column string, bits int) (int64, error) {
	n, err := strconv.ParseInt(t.text(column), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s %q is no whole number that fits", column, t.text(column))
	}
	return n, nil
}

// timeLayouts are the ways to write ratedAt; without a zone it is UTC.
var timeLayouts = [...]string{"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", time.DateOnly}

// parseTime reads a time to the second.
func parseTime(v string) (*time.Time, error) {
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, v); err == nil {
			at = at.UTC().Truncate(time.Second)
			return &at, nil
		}
	}
	return nil, fmt.Errorf("ratedAt %q is no time like 2025-12-31 23:59:59", v)
}
