package shopsystem

import (
	"fmt"
	"maps"
	"slices"
)

// Where the sample's own numbers begin.
const (
	classicCustomer = 102
	classicOrder    = 10_099
)

func classicmodels() system {
	return system{
		name: "classicmodels", versions: []string{"1"}, brands: true, days: true,
		ids: func(*Plan) identity {
			return identity{product: classicCode, customer: numbered(classicCustomer), order: numbered(classicOrder)}
		},
		write: classic,
	}
}

func classicCode(i int) string { return fmt.Sprintf("S%02d_%04d", 10+i%50, i) }

func classic(b *builder) {
	line := b.into("productlines", "productLine")
	for _, c := range b.Categories {
		line(c)
	}
	product := b.into("products",
		"productCode productName productLine productScale productVendor productDescription quantityInStock "+
			"buyPrice MSRP")
	for i, p := range b.Products {
		product(classicCode(i), p.Names[0], b.Categories[p.Categories[0]], "1:18", p.Brand, "", p.Stock, amount(p.Cents/2),
			amount(p.Cents))
	}
	customer := b.into("customers", "customerNumber customerName contactLastName phone city country")
	for i, c := range b.Customers {
		customer(classicCustomer+1+i, "A", "B", "1", c.City, c.Country)
	}
	order := b.into("orders", "orderNumber orderDate requiredDate status customerNumber")
	detail := b.into("orderdetails", "orderNumber productCode quantityOrdered priceEach orderLineNumber")
	for i, o := range b.Orders {
		id := classicOrder + 1 + i
		status := map[State]string{Open: "On Hold", Cancelled: "Cancelled", Refunded: "Disputed"}[o.State]
		if o.State == Sold {
			status = []string{"Shipped", "Resolved", "In Process"}[i%3]
		}
		order(id, o.At, o.At, status, classicCustomer+1+o.Customer)
		quantity := map[int]int{}
		for _, l := range o.Lines {
			quantity[l.Product] += l.Quantity
		}
		for n, product := range slices.Sorted(maps.Keys(quantity)) {
			detail(id, classicCode(product), quantity[product], "1.00", 1+n)
		}
	}
}
