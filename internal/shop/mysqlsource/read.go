package mysqlsource

import (
	"context"
	"errors"
	"math"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// errCallback marks an error of the caller's, which needs no explanation of ours.
var errCallback = errors.New("stopped by the reader")

// callbackError is the caller's own error on its way through the client.
type callbackError struct{ err error }

func (e callbackError) Error() string        { return e.err.Error() }
func (e callbackError) Unwrap() error        { return e.err }
func (e callbackError) Is(target error) bool { return target == errCallback }

// Customers reads all customers, by number.
func (s *Snapshot) Customers(ctx context.Context) ([]shop.Customer, error) {
	var customers []shop.Customer
	err := s.stream(ctx, customersTable(), s.mapping.Customers, func(r *row) error {
		customers = append(customers, shop.Customer{
			Number: int32(r.integer(0, math.MinInt32,
				math.MaxInt32)), Name: r.text(1), City: *r.repeated(2), State: r.optionalText(3),
			PostalCode: r.optionalText(4), Country: *r.repeated(5), CreditLimit: r.optionalCents(6),
		})
		return nil
	})
	return customers, err
}

// Products reads all products, in the order of the database's collation.
func (s *Snapshot) Products(ctx context.Context) ([]shop.Product, error) {
	var products []shop.Product
	err := s.stream(ctx, productsTable(), s.mapping.Products, func(r *row) error {
		products = append(products, shop.Product{
			Code: r.text(0), Name: r.text(1), Line: *r.repeated(2), Scale: *r.repeated(3), Vendor: *r.repeated(4),
			QuantityInStock: int16(r.integer(5, math.MinInt16, math.MaxInt16)), BuyPrice: r.cents(6), MSRP: r.cents(7),
		})
		return nil
	})
	return products, err
}

// Ratings is RatingsIn for all customers.
func (s *Snapshot) Ratings(ctx context.Context, rating func(shop.Rating) error) error {
	return s.RatingsIn(ctx, Range{}, rating)
}

// stream sends a table's query and calls next for each row. A value that cannot be converted ends it.
func (s *Snapshot) stream(ctx context.Context, t table, mapped string, next func(*row) error) error {
	r := row{table: t}
	var result mysql.Result
	err := s.guard(ctx, "read "+t.name, func() error {
		return s.conn.ExecuteSelectStreaming(t.query(mapped, ""), &result, func(values []mysql.FieldValue) error {
			r.number++
			r.values = values
			if err := next(&r); err != nil {
				return err
			}
			return r.err
		}, func(result *mysql.Result) error { return t.check(result.Fields) })
	})
	return after(r.number, err)
}
