package importer

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"kindred/internal/shop"
)

// readCSV reads customers.csv, products.csv and ratings.csv, whose columns have the schema's names.
// Only the keys, the stars and the product's name are required; a column that is missing is empty,
// 0, or one piece in stock.
func readCSV(folder string, s *Shop) error {
	s.Kind = KindCSV
	customers := firstLines{}
	if err := eachRow(folder, "customers.csv", []string{"customerNumber"}, func(t *table) error {
		c, err := customerRow(t)
		s.Customers = append(s.Customers, c)
		return cmp.Or(err, customers.add(t, c.ID, "customer"))
	}); err != nil {
		return err
	}
	products := firstLines{}
	if err := eachRow(folder, "products.csv", []string{"productCode", "productName"}, func(t *table) error {
		p, err := productRow(t)
		s.Products = append(s.Products, p)
		return cmp.Or(err, products.add(t, p.Code, "product"))
	}); err != nil {
		return err
	}
	codes, ids := s.codes(), codes{}
	return eachRow(folder, "ratings.csv", []string{"customerNumber", "productCode", "productRating"},
		func(t *table) error {
			r, err := ratingRow(t, codes, ids)
			s.Ratings = append(s.Ratings, r)
			return err
		})
}

// firstLines finds keys that are there twice.
type firstLines map[string]int

func (l firstLines) add(t *table, key, what string) error {
	line, _ := t.csv.FieldPos(0)
	if first, twice := l[key]; twice {
		return fmt.Errorf("%s %v is there twice, first on line %d", what, key, first)
	}
	l[key] = line
	return nil
}

// Limits of the shop's columns, in characters.
const (
	maxPlace      = 50 // city, state and country
	maxPostalCode = 15
	maxLine       = 50
	maxScale      = 10
	maxVendor     = 50
)

func customerRow(t *table) (shop.Customer, error) {
	number, err := integer("customerNumber", t.text("customerNumber"), 32)
	if err != nil {
		return shop.Customer{}, err
	}
	c := shop.Customer{ID: strconv.FormatInt(number, 10), Name: strings.Clone(truncate(t.text("customerName"),
		shop.MaxCustomerName)),
		State: t.optional("state"), PostalCode: t.optional("postalCode")}
	_, stateErr := t.short("state", maxPlace)
	_, postalErr := t.short("postalCode", maxPostalCode)
	var cityErr, countryErr error
	c.City, cityErr = t.short("city", maxPlace)
	c.Country, countryErr = t.short("country", maxPlace)
	if err := cmp.Or(cityErr, stateErr, postalErr, countryErr); err != nil {
		return c, err
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
	p := shop.Product{Code: strings.Clone(t.text("productCode")),
		Name: strings.Clone(truncate(t.text("productName"), shop.MaxName)), QuantityInStock: 1}
	var lineErr, scaleErr, vendorErr error
	p.Line, lineErr = t.short("productLine", maxLine)
	p.Scale, scaleErr = t.short("productScale", maxScale)
	p.Vendor, vendorErr = t.short("productVendor", maxVendor)
	if err := cmp.Or(lineErr, scaleErr, vendorErr); err != nil {
		return p, err
	}
	if stock := t.optional("quantityInStock"); stock != nil {
		n, err := integer("quantityInStock", *stock, 16)
		if err != nil {
			return p, err
		}
		p.QuantityInStock = int16(n)
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
	return p, checkProduct(p)
}

// maxCode is the width of the shop's column productCode in characters.
const maxCode = 15

// checkProduct is Validate, and the width of the shop's column.
func checkProduct(p shop.Product) error {
	if n := utf8.RuneCountInString(p.Code); n > maxCode {
		return fmt.Errorf("product code %q has %d characters, want 1 to %d", p.Code, n, maxCode)
	}
	return p.Validate()
}

func ratingRow(t *table, codes, ids codes) (shop.Rating, error) {
	number, err := integer("customerNumber", t.text("customerNumber"), 32)
	if err != nil {
		return shop.Rating{}, err
	}
	stars, err := roundedStars("productRating", t.text("productRating"))
	if err != nil {
		return shop.Rating{}, err
	}
	r := shop.Rating{CustomerID: ids.share(strconv.FormatInt(number, 10)), ProductCode: codes.of(t.text("productCode")),
		Stars: stars}
	if at := t.optional("ratedAt"); at != nil {
		if r.RatedAt, err = ratedAt("ratedAt", *at); err != nil {
			return r, err
		}
	}
	return r, r.Validate()
}
