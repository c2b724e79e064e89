package mysqlsource

import (
	"context"
	"errors"

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

// Customers reads all customers, in the order of the database. One without a usable key is left out;
// Faults counts it, and every value that was replaced.
func (s *Snapshot) Customers(ctx context.Context) ([]shop.Customer, error) {
	var customers []shop.Customer
	var ids idSample
	err := s.stream(ctx, customersTable(), s.mapping.Customers, func(r *row) {
		if c, ok := r.customer(); ok {
			customers = append(customers, c)
			ids.add(c.ID)
		}
	})
	if s.sample == 0 { // else they come in any order
		s.sampled = ids
	}
	return customers, err
}

// Products reads all products, in the order of the database. One without a usable key
// is left out; Faults counts it, and every value that was replaced.
func (s *Snapshot) Products(ctx context.Context) ([]shop.Product, error) {
	var products []shop.Product
	err := s.stream(ctx, productsTable(), s.mapping.Products, func(r *row) {
		if p, ok := r.product(); ok {
			products = append(products, p)
		}
	})
	return products, err
}

// stream sends a table's query and calls next for each row.
func (s *Snapshot) stream(ctx context.Context, t table, mapped string, next func(*row)) error {
	r := row{table: t, faults: &s.faults}
	return s.streamRows(ctx, t, mapped, &r, func() { next(&r) })
}

// streamRows is stream into r.
func (s *Snapshot) streamRows(ctx context.Context, t table, mapped string, r *row, next func()) error {
	var result mysql.Result
	rows := int64(0)
	err := s.guard(ctx, "read "+t.name, func() error {
		return s.unlocked(func() error {
			return s.conn.ExecuteSelectStreaming(s.queryOf(t, mapped, ""), &result, func(values []mysql.FieldValue) error {
				rows++
				r.values = values
				next()
				return nil
			}, func(result *mysql.Result) error {
				r.setFields(result.Fields)
				return t.check(result.Fields)
			})
		})
	})
	return after(rows, err)
}
