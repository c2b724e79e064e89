package importer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kindred/internal/shop"
)

// orderOf is what a file of orders says of one.
type orderOf struct {
	customer string
	at       int64
	why      string // it is left out
}

// shared keeps one string of each value that many rows have.
func (g *gathering) shared() func(string) string {
	known := codes{}
	return known.share
}

// instacart is the orders of Instacart: orders, their lines, products, and the names of aisles and
// departments if they are there. Their times are relative: days since the customer's order before.
func instacart() layout {
	return layout{kind: "instacart", name: "Instacart", read: readInstacart, roles: []role{
		{name: "orders", columns: []string{"order_id", "user_id", "order_number", "days_since_prior_order"}},
		{name: "lines", columns: []string{"order_id", "product_id", "add_to_cart_order"}, many: true},
		{name: "products", columns: []string{"product_id", "product_name"}},
		{name: "aisles", columns: []string{"aisle_id", "aisle"}, optional: true},
		{name: "departments", columns: []string{"department_id", "department"}, optional: true},
	}}
}

// instacartBegin is the day on which every customer's first order is taken to be: the files do not
// say, and only the time between a customer's orders matters.
var instacartBegin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

func readInstacart(g *gathering, files map[string][]*sheet) error {
	orders, err := instacartOrders(g, files["orders"][0])
	if err != nil {
		return err
	}
	g.note("The files have no dates: each customer's first order is set to %s, and the others follow it.",
		instacartBegin.Format(time.DateOnly))
	if err := orderLines(g, orders, files["lines"]); err != nil {
		return err
	}
	aisles, err := names(files["aisles"], "aisleid", "aisle")
	if err != nil {
		return err
	}
	departments, err := names(files["departments"], "departmentid", "department")
	if err != nil {
		return err
	}
	s := files["products"][0]
	id, name, aisle, department := s.find("productid"), s.find("productname"), s.find("aisleid"), s.find("departmentid")
	_, err = s.each(false, func(r *row) error {
		p := g.listed(r.id(id))
		p.call(r.at(name))
		for _, category := range []string{departments[r.at(department)], aisles[r.at(aisle)]} {
			if category != "" {
				p.categories = append(p.categories, category)
			}
		}
		return nil
	})
	return err
}

// names reads a file of ids and names.
func names(sheets []*sheet, id, name string) (map[string]string, error) {
	all := map[string]string{}
	for _, s := range sheets {
		from, to := s.find(id), s.find(name)
		_, err := s.each(false, func(r *row) error {
			all[strings.Clone(r.at(from))] = strings.Clone(r.at(to))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// instacartOrders adds up the days between each customer's orders.
func instacartOrders(g *gathering, s *sheet) (map[string]orderOf, error) {
	type order struct {
		id, customer string
		number, days float64
		hour         float64
	}
	id, user, number, days, hour := s.find("orderid"), s.find("userid"), s.find("ordernumber"),
		s.find("dayssincepriororder"), s.find("orderhourofday")
	share := g.shared()
	var all []order
	_, err := s.each(false, func(r *row) error {
		o := order{id: strings.Clone(r.id(id)), customer: share(r.id(user))}
		for column, into := range map[int]*float64{number: &o.number, days: &o.days, hour: &o.hour} {
			if n := r.number(column); n != nil {
				*into = *n
			}
		}
		all = append(all, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b order) int {
		return cmp.Or(strings.Compare(a.customer, b.customer), cmp.Compare(a.number, b.number))
	})
	orders, passed := make(map[string]orderOf, len(all)), 0.0
	for i, o := range all {
		if i == 0 || all[i-1].customer != o.customer {
			passed = 0
		} else {
			passed += o.days
		}
		const day = 24 * 60 * 60 * 1000
		orders[o.id] = orderOf{customer: o.customer, at: instacartBegin.UnixMilli() + int64(passed)*day +
			int64(o.hour)*day/24}
	}
	return orders, nil
}

// orderLines hands on lines whose customer and time stand with their order.
func orderLines(g *gathering, orders map[string]orderOf, sheets []*sheet) error {
	for _, s := range sheets {
		order, item, price := s.find("orderid"), s.find("productid"), s.find("price")
		_, err := s.each(false, func(r *row) error {
			g.seen++
			d := deed{kind: shop.KindPurchase, product: r.id(item), order: r.id(order)}
			of, known := orders[d.order]
			paid := r.number(price)
			switch {
			case r.err != nil:
				return r.err
			case !known:
				return g.leave(noOrder)
			case of.why != "":
				return g.leave(of.why)
			}
			d.customer, d.at = of.customer, of.at
			if paid != nil && d.product != "" {
				g.product(d.product).costs(*paid, d.at)
			}
			return g.take(d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// olist is the orders of Olist, a Brazilian market place. Its products have no names.
func olist() layout {
	return layout{kind: "olist", name: "Olist", read: readOlist, roles: []role{
		{name: "orders", columns: []string{"order_id", "customer_id", "order_status", "order_purchase_timestamp"}},
		{name: "lines", columns: []string{"order_id", "order_item_id", "product_id"}, many: true},
		{name: "products", columns: []string{"product_id", "product_category_name"}, optional: true},
		{name: "customers", columns: []string{"customer_id", "customer_unique_id"}, optional: true},
		{name: "categories", columns: []string{"product_category_name", "product_category_name_english"}, optional: true},
	}}
}

func readOlist(g *gathering, files map[string][]*sheet) error {
	people := map[string]string{} // an order's customer → the customer
	for _, s := range files["customers"] {
		id, unique, city := s.find("customerid"), s.find("customeruniqueid"), s.find("customercity")
		_, err := s.each(false, func(r *row) error {
			one := strings.Clone(r.id(unique))
			people[strings.Clone(r.id(id))] = one
			g.lives(one, "Brazil", r.at(city))
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(people) == 0 {
		g.note("Without the file of customers each order is of another customer.")
	}
	s := files["orders"][0]
	id, customer, status, at := s.find("orderid"), s.find("customerid"), s.find("orderstatus"),
		s.find("orderpurchasetimestamp")
	orders := map[string]orderOf{}
	_, err := s.each(false, func(r *row) error {
		o := orderOf{customer: cmp.Or(people[r.id(customer)], strings.Clone(r.id(customer))), at: r.moment(at, dates{})}
		if state := r.at(status); state == "canceled" || state == "unavailable" {
			o.why = cancelled
		}
		orders[strings.Clone(r.id(id))] = o
		return nil
	})
	if err != nil {
		return err
	}
	if err := orderLines(g, orders, files["lines"]); err != nil {
		return err
	}
	english, err := names(files["categories"], "productcategoryname", "productcategorynameenglish")
	if err != nil {
		return err
	}
	for _, s := range files["products"] {
		id, category := s.find("productid"), s.find("productcategoryname")
		_, err := s.each(false, func(r *row) error {
			p := g.listed(r.id(id))
			if name := r.at(category); name != "" {
				p.categories = []string{strings.ReplaceAll(strings.Clone(cmp.Or(english[name], name)), "_", " ")}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, p := range g.products {
		p.currency = "BRL"
	}
	return nil
}

// shopify is the orders that Shopify exports as CSV. What belongs to a whole order stands on its
// first line only.
func shopify() layout {
	return layout{kind: "shopify-orders", name: "Shopify orders", read: readShopify,
		roles: []role{{name: "orders", many: true,
			columns: []string{"Name", "Created at", "Lineitem quantity", "Lineitem name"}}}}
}

// shopifyUnpaid are the financial states of an order that was not sold in the end.
var shopifyUnpaid = []string{"refunded", "voided", "expired"}

func readShopify(g *gathering, files map[string][]*sheet) error {
	orders := map[string]orderOf{}
	for _, s := range files["orders"] {
		if err := readShopifyFile(g, s, orders); err != nil {
			return err
		}
	}
	return nil
}

func readShopifyFile(g *gathering, s *sheet, orders map[string]orderOf) error {
	number, email, state, stopped := s.find("name"), s.find("email"), s.find("financialstatus"), s.find("cancelledat")
	created, currency, vendor := s.find("createdat"), s.find("currency"), s.find("vendor")
	quantity, name, sku, price := s.find("lineitemquantity"), s.find("lineitemname"), s.find("lineitemsku"),
		s.find("lineitemprice")
	country, city := s.find("shippingcountry"), s.find("shippingcity")
	otherCountry, otherCity := s.find("billingcountry"), s.find("billingcity")
	dates, err := g.datesOf(s, created, false)
	if err != nil {
		return err
	}
	_, err = s.each(false, func(r *row) error {
		g.seen++
		d := deed{kind: shop.KindPurchase, order: r.id(number), quantity: r.quantity(quantity)}
		of, known := orders[d.order]
		if !known {
			of = orderOf{customer: person(r.at(email)), at: r.moment(created, dates)}
			if slices.Contains(shopifyUnpaid, strings.ToLower(r.at(state))) || r.at(stopped) != "" {
				of.why = cancelled
			}
			orders[strings.Clone(d.order)] = of
			g.lives(of.customer, cmp.Or(r.at(country), r.at(otherCountry)), cmp.Or(r.at(city), r.at(otherCity)))
		}
		if d.product = r.id(sku); d.product == "" {
			if d.product = r.at(name); len(d.product) > shop.MaxIDBytes {
				d.product = shortened(d.product)
			}
		}
		paid := r.number(price)
		switch {
		case r.err != nil:
			return r.err
		case of.why != "":
			return g.leave(of.why)
		}
		d.customer, d.at = of.customer, of.at
		if d.product != "" {
			p := g.product(d.product)
			p.call(r.at(name))
			p.brand = truncate(strings.Clone(cmp.Or(r.at(vendor), p.brand)), maxBrand)
			p.currency = strings.Clone(cmp.Or(r.at(currency), p.currency))
			if paid != nil {
				p.costs(*paid, d.at)
			}
		}
		return g.take(d)
	})
	return err
}
