package shopsystem

import (
	"strconv"
)

// openVariant is where products begin that are variants of another.
const openVariant = 500_000

// openOne calls a setting's group so, and names one state of complete orders. openReturned is the first
// version in which a customer's return has the product's id.
const (
	openOne      = "1.5"
	openReturned = "3.0"
)

// openPicked is a state of the shop's own.
const openPicked = 21

// openMaster is the first version in which variants are products.
const openMaster = "4.0"

func opencart() system {
	return system{
		name: "opencart", versions: []string{openOne, "2.3", openReturned, openMaster, "4.1"}, prefix: "oc_",
		prefixed: true, brands: true,
		traits: traits{guests: true, variants: true, stores: true, languages: true, disabled: true, uncounted: true,
			refunds: true, reviews: true, several: true},
		ids: func(*Plan) identity {
			return identity{product: numbered(0), customer: numbered(0), order: numbered(0),
				session: keyed("order", numbered(0))}
		},
		write: func(b *builder) {
			o := &open{b}
			o.settings()
			o.catalogue()
			o.people()
			o.orders()
			o.reviews()
		},
	}
}

type open struct{ *builder }

func (o *open) settings() {
	group, states := "code", [][2]string{{"config_processing_status", `["5","1","2","12","3"]`},
		{"config_complete_status", `["5","3"]`}}
	if !o.since("2.3") {
		group, states = "group", [][2]string{{"config_complete_status_id", strconv.Itoa(openPicked)}}
	}
	set := o.into("setting", "store_id "+group+" key value serialized")
	language := "config_language"
	if o.since("4.1") {
		language = "config_language_catalog"
	}
	for _, s := range append(states, [][2]string{{language, "en-gb"}, {"config_currency", "EUR"},
		{"config_order_status_id", "1"}, {"config_stock_checkout", "0"}}...) {
		set(0, "config", s[0], s[1], s[1][0] == '[')
	}
	o.into("store", "store_id name url")(1, "B2B", "https://b2b.example.org/")
	languages := o.into("language", "language_id name code status")
	languages(1, "English", "en-gb", true)
	languages(2, "Deutsch", "de-de", true)
	currency := o.into("currency", "currency_id title code value status")
	currency(1, "Euro", "EUR", "1.0", true)
	currency(2, "Dollar", "USD", "2.0", true)
	status := o.into("order_status", "order_status_id language_id name")
	for id, name := range map[int]string{1: "Pending", 2: "Processing", 3: "Shipped", 5: "Complete", 7: "Canceled",
		11: "Refunded", 12: "Reversed", openPicked: "Picked up"} {
		status(id, 1, name)
		status(id, 2, name)
	}
	for i, c := range places {
		if o.since("4.1") {
			o.once("country", "country_id iso_code_2 iso_code_3")(1+i, c.Country, "")
		} else {
			o.once("country", "country_id name iso_code_2 iso_code_3")(1+i, c.Country, c.Country, "")
		}
	}
}

func (o *open) catalogue() {
	columns := "product_id model quantity stock_status_id image manufacturer_id price tax_class_id subtract status " +
		"date_added date_modified"
	if o.since(openMaster) {
		columns += " master_id variant"
	}
	product := o.into("product", columns)
	add := func(id, master, quantity, maker int, p Product) {
		values := []any{id, "M" + strconv.Itoa(id), quantity, 5, "catalog/x.jpg", maker, amount(p.Cents), 9, p.Counted,
			p.Enabled, periodEnd, periodEnd}
		if o.since(openMaster) {
			values = append(values, master, "")
		}
		product(values...)
	}
	name := o.into("product_description", "product_id language_id name description tag")
	in := o.into("product_to_category", "product_id category_id")
	sold := o.into("product_to_store", "product_id store_id")
	label := o.into("category_description", "category_id language_id name description")
	for i, c := range o.Categories {
		for language := 1; language <= 2; language++ {
			label(1+i, language, escaped(c), "")
		}
	}
	maker := o.into("manufacturer", "manufacturer_id name sort_order")
	byBrand := map[string]int{}
	for i, b := range brands {
		byBrand[b] = 1 + i
		maker(1+i, escaped(b), 0)
	}
	for i, p := range o.Products {
		id := 1 + i
		add(id, 0, p.Stock, byBrand[p.Brand], p)
		name(id, 1, escaped(p.Names[0]), "", "")
		name(id, 2, escaped(p.Names[1]), "", "")
		for store := range 2 {
			if p.Store < 0 || p.Store == store {
				sold(id, store)
			}
		}
		for _, k := range p.Categories {
			in(id, 1+k)
		}
		for n := range p.Variants {
			if o.since(openMaster) {
				variant := openVariant + 100*i + n
				add(variant, id, p.Stock, byBrand[p.Brand], p)
				name(variant, 1, escaped(p.Names[0])+" size "+strconv.Itoa(n), "", "")
				sold(variant, 0)
			}
		}
	}
}

func (o *open) people() {
	country := map[string]int{}
	for i, c := range places {
		country[c.Country] = 1 + i
	}
	columns := "customer_id customer_group_id firstname lastname email telephone password status date_added"
	if !o.since(openMaster) {
		columns += " address_id" // the default one
	}
	customer := o.into("customer", columns)
	for i, c := range o.Customers {
		values := []any{1 + i, 1, "A", "B", "c@example.org", "1", "", true, periodEnd}
		if !o.since(openMaster) {
			values = append(values, 2+2*i)
		}
		customer(values...)
		if o.since(openMaster) {
			address := o.once("address", "customer_id firstname lastname address_1 city country_id default")
			address(1+i, "A", "B", "C", "Nowhere", country[c.Country], false)
			address(1+i, "A", "B", "C", c.City, country[c.Country], true)
		} else {
			address := o.once("address", "address_id customer_id firstname lastname address_1 city country_id")
			address(1+2*i, 1+i, "A", "B", "C", "Nowhere", country[c.Country])
			address(2+2*i, 1+i, "A", "B", "C", c.City, country[c.Country])
		}
	}
}

func (o *open) orders() {
	order := o.into("order",
		"order_id store_id customer_id firstname email order_status_id language_id currency_id currency_code "+
			"date_added date_modified")
	columns := "order_id product_id name model quantity"
	if o.since(openMaster) {
		columns += " master_id"
	}
	line := o.into("order_product", columns)
	back := o.into("return",
		"order_id product_id customer_id product model quantity return_reason_id return_action_id return_status_id "+
			"date_added")
	for i, q := range o.Orders {
		id, status := 1+i, map[State]int{Open: i % 2, Cancelled: 7, Refunded: 11}[q.State] // 0: never confirmed
		if q.State == Sold {
			status = []int{2, 3, 5}[i%3]
			if status == 5 && !o.since("2.3") {
				status = openPicked
			}
		}
		order(id, q.Store, 1+q.Customer, "A", "x@example.org", status, 1, 1, "EUR", q.At, q.At)
		for _, l := range q.Lines {
			product := 1 + l.Product
			model := "M" + strconv.Itoa(product)
			values := []any{id, product, "x", model, l.Quantity}
			if o.since(openMaster) {
				master := 0
				if o.Products[l.Product].Variants > 0 {
					product, master = openVariant+100*l.Product+l.Variant, product
				}
				values = []any{id, product, "x", model, l.Quantity, master}
			}
			line(values...)
			if !o.since(openReturned) && i%2 == 0 { // the customer asked for it, not the shop
				product = 0
			}
			if l.Back > 0 {
				back(id, product, 1+q.Customer, "x", model, l.Back, 1, 1+i%2, 3, q.At)
			} else if i%20 == 0 {
				back(id, product, 1+q.Customer, "x", model, 1, 1, 3, 3, q.At) // replaced, so it was sold all the same
			}
		}
	}
}

func (o *open) reviews() {
	add := o.into("review", "product_id customer_id author text rating status date_added")
	for _, r := range o.Reviews {
		add(1+r.Product, 1+r.Customer, "A", "", r.Stars, r.Approved, r.At)
	}
}
