package etl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// dimensions reads customers and products, and counts what was found.
func dimensions(ctx context.Context, from source) (*join, Counts, error) {
	customers, err := from.Customers(ctx)
	if err != nil {
		return nil, Counts{}, err
	}
	products, err := from.Products(ctx)
	if err != nil {
		return nil, Counts{}, err
	}
	faults := from.Faults()
	var c Counts
	c.Customers.Read = int64(len(customers)) + faults.Count(shop.CustomerKey)
	c.Products.Read = int64(len(products)) + faults.Count(shop.ProductKey)
	j, err := newJoin(customers, products, faults)
	for rule, count := range c.tableCounts() {
		*count = faults.Count(rule)
	}
	if err != nil {
		if why := c.broken(Limits{}, faults.Examples()); len(why) > 0 {
			err = fmt.Errorf("%w: %s", err, strings.Join(why, "; "))
		}
		return nil, c, err
	}
	for _, p := range j.codes {
		if p.QuantityInStock > 0 {
			c.Products.InStock++
		}
	}
	return j, c, nil
}

// distinctCustomers sorts by id and keeps one row of each.
func distinctCustomers(customers []shop.Customer, faults *shop.Faults) []shop.Customer {
	return distinct(customers, func(a, b shop.Customer) int { return text.CompareIDs(a.ID, b.ID) },
		func(c shop.Customer) {
			faults.Add(shop.CustomerTwice, func() string { return shop.CustomerName(c.ID) + ": there more than once" })
		})
}

// distinctProducts sorts by code, byte by byte, and keeps one row of each.
func distinctProducts(products []shop.Product, faults *shop.Faults) []shop.Product {
	return distinct(products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) },
		func(p shop.Product) {
			faults.Add(shop.ProductTwice, func() string { return shop.ProductName(p.Code) + ": there more than once" })
		})
}

// distinct sorts rows by their key and drops all but one of each. Which one is decided by the rows'
// content, because the order in which a server sends equal keys is not fixed.
func distinct[Row any](rows []Row, byKey func(a, b Row) int, dropped func(Row)) []Row {
	slices.SortFunc(rows, func(a, b Row) int {
		if c := byKey(a, b); c != 0 {
			return c
		}
		return strings.Compare(content(a), content(b))
	})
	kept := rows[:0]
	for i, row := range rows {
		if i > 0 && byKey(kept[len(kept)-1], row) == 0 {
			dropped(row)
			continue
		}
		kept = append(kept, row)
	}
	return kept
}

func content(row any) string {
	data, _ := json.Marshal(row) // of structs of texts and numbers, which cannot fail
	return string(data)
}

// keysOf says how the set's files hold ids: as the shop's customers and products do.
func keysOf(s mysqlsource.Schema) trainingset.Keys {
	var keys trainingset.Keys
	if c, there := find(s.Customers, "customerNumber"); there {
		keys.Customer = keyType(c)
	}
	if p, there := find(s.Products, "productCode"); there {
		keys.Product = keyType(p)
	}
	return keys
}

func keyType(c mysqlsource.Column) trainingset.KeyType {
	const wide = 4 // bytes
	switch {
	case c.Type == "integer" && (c.Length < wide || c.Length == wide && !c.Unsigned):
		return trainingset.Int32
	case c.Type == "integer", c.Type == "decimal":
		return trainingset.Int64
	}
	return trainingset.Text
}
