package mysqlsource

import (
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"pgregory.net/rapid"

	textrule "kindred/internal/platform/text"
	"kindred/internal/shop"
)

// TestEveryRowIsARowOrACount gives each column of customers and products any value that a server can
// send. Each row is decoded or counted once under its key's rule, and no decoded text breaks the rule.
func TestEveryRowIsARowOrACount(t *testing.T) {
	t.Parallel()
	value := rapid.Custom(func(r *rapid.T) mysql.FieldValue {
		switch rapid.IntRange(0, 4).Draw(r, "kind") {
		case 0:
			return null()
		case 1:
			return signed(rapid.Int64().Draw(r, "signed"))
		case 2:
			return unsigned(rapid.Uint64().Draw(r, "unsigned"))
		case 3:
			return str(string(rapid.SliceOf(rapid.Byte()).Draw(r, "bytes")))
		}
		return str(rapid.SampledFrom([]string{"", "S10", "-1", "3.14", "40000", "99999999.99", "-99999999999999999999",
			"a\x00", "\xed\xa0\x80", "\xff"}).Draw(r, "text"))
	})
	rapid.Check(t, func(r *rapid.T) {
		customers, products := &shop.Faults{}, &shop.Faults{}
		for range 20 {
			row := row{table: customersTable(), faults: customers, values: rapid.SliceOfN(value, 7, 7).Draw(r, "customer")}
			before := customers.Count(shop.CustomerKey)
			c, ok := row.customer()
			checkRow(r, ok, customers.Count(shop.CustomerKey)-before, c.Name, c.City, c.Country, deref(c.State),
				deref(c.PostalCode))
			row.table, row.faults, row.values = productsTable(), products, rapid.SliceOfN(value, 8, 8).Draw(r, "product")
			before = products.Count(shop.ProductKey)
			p, ok := row.product()
			checkRow(r, ok, products.Count(shop.ProductKey)-before, p.Code, p.Name, p.Line, p.Scale, p.Vendor)
			if err := p.Validate(); ok && err != nil {
				r.Error(err)
			}
		}
	})
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func checkRow(r *rapid.T, ok bool, counted int64, texts ...string) {
	if ok != (counted == 0) || counted > 1 {
		r.Errorf("decoded %v, counted %d times", ok, counted)
	}
	for _, s := range texts {
		if err := textrule.Check(s, textrule.NoLimit); err != nil {
			r.Errorf("%q %v", s, err)
		}
	}
}
