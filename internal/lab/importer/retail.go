package importer

import (
	"slices"
	"strings"

	"kindred/internal/shop"
)

// retail is the Online Retail data of the UCI repository, and files of the same columns: one line an
// order line, a C before the number of an invoice that takes goods back, no customer for guests.
func retail() layout {
	return layout{kind: "online-retail", name: "Online Retail", read: readRetail,
		roles: []role{{name: "invoices", many: true,
			columns: []string{"InvoiceNo|Invoice", "StockCode", "Quantity", "InvoiceDate"}}}}
}

// retailServices are the codes of what is no product: postage, discounts, fees, corrections, tests.
var retailServices = []string{"POST", "DOT", "D", "M", "S", "B", "C2", "C3", "BANK CHARGES", "CRUK", "AMAZONFEE",
	"ADJUST", "ADJUST2", "TEST001", "TEST002"}

func readRetail(g *gathering, files map[string][]*sheet) error {
	for _, s := range files["invoices"] {
		if err := readInvoices(g, s); err != nil {
			return err
		}
	}
	return nil
}

func readInvoices(g *gathering, s *sheet) error {
	invoice, code, quantity, date := s.find("invoiceno|invoice"), s.find("stockcode"), s.find("quantity"),
		s.find("invoicedate")
	name, price, customer, country := s.find("description"), s.find("unitprice|price"), s.find("customerid"),
		s.find("country")
	dates, err := g.datesOf(s, date, true)
	if err != nil {
		return err
	}
	pounds := s.find("unitprice|price") >= 0
	converted, err := s.each(true, func(r *row) error {
		g.seen++
		d := deed{kind: shop.KindPurchase, product: r.id(code), order: r.id(invoice), customer: r.id(customer),
			quantity: r.quantity(quantity), at: r.moment(date, dates)}
		paid := r.number(price)
		switch back := strings.HasPrefix(strings.ToUpper(d.order), "C"); {
		case r.err != nil:
			return r.err
		case slices.Contains(retailServices, strings.ToUpper(d.product)):
			return g.leave("of postage, discounts, fees and corrections")
		case paid != nil && *paid <= 0:
			return g.leave("with a price of 0, which corrects the stock or gives away")
		case d.quantity == nil && back:
			d.quantity = new(-1.0)
		case d.quantity != nil && back && *d.quantity > 0:
			*d.quantity = -*d.quantity
		}
		if d.product != "" {
			p := g.product(d.product)
			p.call(r.at(name))
			if paid != nil && pounds {
				p.costs(*paid, d.at)
				p.currency = "GBP"
			}
		}
		if country >= 0 {
			g.lives(d.customer, r.at(country), "")
		}
		return g.take(d)
	})
	g.western(s, converted)
	return err
}
