package mysqlsource

import (
	"context"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// keyForm is how a key column holds the ids of customers or products.
type keyForm uint8

const (
	formText keyForm = iota
	formInteger
	formBinary // BINARY(16); the id is its hex form
)

func formOf(f *mysql.Field) keyForm {
	switch {
	case isBinaryKey(f):
		return formBinary
	case integer.reads(f):
		return formInteger
	}
	return formText
}

// keyForms are the forms of the key columns of the three data sets.
type keyForms struct {
	customers, products             keyForm
	ratingsCustomer, ratingsProduct keyForm
}

// forms asks for the forms of the key columns, once. It reads no row.
func (s *Snapshot) forms(ctx context.Context) (keyForms, error) {
	if s.keys != nil {
		return *s.keys, nil
	}
	var found keyForms
	for _, of := range []struct {
		table  table
		mapped string
		column string
		form   *keyForm
	}{
		{customersTable(), s.mapping.Customers, customerColumn, &found.customers},
		{productsTable(), s.mapping.Products, productColumn, &found.products},
		{ratingsTable(), s.mapping.Ratings, customerColumn, &found.ratingsCustomer},
		{ratingsTable(), s.mapping.Ratings, productColumn, &found.ratingsProduct},
	} {
		err := s.guard(ctx, "ask for the keys of "+of.table.name, func() error {
			fields, err := s.fields(of.table, of.mapped)
			for _, f := range fields {
				if strings.EqualFold(string(f.Name), of.column) {
					*of.form = formOf(f)
				}
			}
			return err
		})
		if err != nil {
			return found, err
		}
	}
	s.keys = &found
	return found, nil
}

// The key columns of the contract.
const (
	customerColumn = "customerNumber"
	productColumn  = "productCode"
)

// maxSampled bounds the ids that are kept for cutting ranges.
const maxSampled = 1 << 16

// idSample is ids in the order of the database, evenly thinned out where they are many.
type idSample struct {
	ids    []string
	stride int // every so many; 0 is 1
	seen   int
}

func (s *idSample) add(id string) {
	s.stride = max(s.stride, 1)
	if s.seen++; (s.seen-1)%s.stride != 0 {
		return
	}
	if s.ids = append(s.ids, id); len(s.ids) < maxSampled {
		return
	}
	half := s.ids[:0]
	for i := 0; i < len(s.ids); i += 2 {
		half = append(half, s.ids[i])
	}
	s.ids, s.stride = half, 2*s.stride
}
