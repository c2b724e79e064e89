package shopsystem

import "strconv"

// bagistoVariant is where products begin that are variants of another, bagistoStock the attribute that
// says whether stock is counted.
const (
	bagistoVariant = 500_000
	bagistoStock   = 28
)

func bagisto() system {
	return system{
		name: "bagisto", versions: []string{"1.5", "2.0", "2.3"}, prefixed: true,
		traits: traits{guests: true, variants: true, stores: true, languages: true, disabled: true, uncounted: true,
			refunds: true, reviews: true, several: true},
		ids: func(*Plan) identity {
			return identity{product: numbered(0), customer: numbered(0), order: numbered(0),
				session: keyed("order", numbered(0))}
		},
		write: func(b *builder) {
			s := &bag{b}
			s.settings()
			s.catalogue()
			s.people()
			s.orders()
			s.reviews()
		},
	}
}

type bag struct{ *builder }

var (
	bagistoLocales  = []string{"en", "de"}
	bagistoChannels = []string{"default", "b2b"}
)

func (s *bag) settings() {
	locale := s.into("locales", "id code name")
	for i, l := range bagistoLocales {
		locale(1+i, l, l)
	}
	currency := s.into("currencies", "id code name")
	currency(1, "EUR", "Euro")
	currency(2, "USD", "Dollar")
	s.into("currency_exchange_rates", "rate target_currency")("2.000000000000", 2)
	channel := s.into("channels", "id code root_category_id default_locale_id base_currency_id")
	for i, c := range bagistoChannels {
		channel(1+i, c, 1, 1+i, 1)
	}
	s.into("attributes", "id code type")(bagistoStock, "manage_stock", "boolean")
}

func (s *bag) catalogue() {
	product := s.into("products", "id sku type parent_id created_at")
	flat := s.into("product_flat", "sku name url_key status price locale channel product_id visible_individually")
	value := s.into("product_attribute_values", "boolean_value product_id attribute_id")
	stock := s.into("product_inventories", "qty product_id inventory_source_id")
	in := s.into("product_categories", "product_id category_id")
	category := s.into("categories", "id parent_id status")
	label := s.into("category_translations", "category_id name slug locale")
	category(1, nil, true)
	for _, l := range bagistoLocales {
		label(1, "Root", "root", l)
		for i, c := range s.Categories {
			label(2+i, c, "c", l)
		}
	}
	for i := range s.Categories {
		category(2+i, 1, true)
	}
	show := func(id int, p Product, n int, names [2]string) {
		for c, channel := range bagistoChannels {
			for l, locale := range bagistoLocales {
				price := any(amount(p.Cents + int64(n)*100))
				if n < 0 { // a configurable product has no price of its own
					price = "0.0000"
				}
				flat("P"+strconv.Itoa(id), names[l], "p-"+strconv.Itoa(id), p.Enabled && (p.Store < 0 || p.Store == c), price,
					locale, channel, id, true)
			}
		}
	}
	for i, p := range s.Products {
		id := 1 + i
		kind, first := "simple", 0
		if p.Variants > 0 {
			kind, first = "configurable", -1
		}
		product(id, "P"+strconv.Itoa(id), kind, nil, periodEnd)
		show(id, p, first, p.Names)
		in(id, 1)
		for _, k := range p.Categories {
			in(id, 2+k)
		}
		if p.Variants == 0 {
			value(p.Counted, id, bagistoStock)
			stock(p.Stock/2, id, 1)
			stock(p.Stock-p.Stock/2, id, 2)
		}
		for n := range p.Variants {
			variant := bagistoVariant + 100*i + n
			product(variant, "P"+strconv.Itoa(variant), "simple", id, periodEnd)
			show(variant, p, n, [2]string{"size", "Größe"})
			value(p.Counted, variant, bagistoStock)
			stock(p.Stock, variant, 1)
		}
	}
}

func (s *bag) people() {
	customer := s.into("customers", "id first_name last_name email")
	columns := "address_type customer_id first_name last_name city country default_address address1"
	if s.since("2.3") {
		columns = "address_type customer_id first_name last_name city country default_address address"
	}
	address := s.into("addresses", columns)
	for i, c := range s.Customers {
		customer(1+i, "A", "B", "c@example.org")
		address("order_billing", 1+i, "A", "B", "Nowhere", "XX", true, "C")
		address("customer", 1+i, "A", "B", "Nowhere", "XX", false, "C")
		address("customer", 1+i, "A", "B", c.City, c.Country, true, "C")
	}
}

func (s *bag) orders() {
	order := s.into("orders", "id increment_id status is_guest customer_email customer_id channel_id created_at")
	item := s.into("order_items", "id type qty_ordered qty_canceled qty_refunded product_id order_id parent_id")
	next := 0
	for i, o := range s.Orders {
		status := map[State]string{Open: []string{"pending", "pending_payment"}[i%2], Cancelled: "canceled",
			Refunded: "closed"}[o.State]
		if o.State == Sold {
			status = []string{"completed", "processing"}[i%2]
		}
		var customer any
		if o.Customer >= 0 {
			customer = 1 + o.Customer
		}
		order(1+i, strconv.Itoa(1+i), status, o.Customer < 0, "x@example.org", customer, 1+o.Store, o.At)
		for n, l := range o.Lines {
			refunded, cancelled := l.Back, 0
			if n%2 == 1 {
				refunded, cancelled = 0, l.Back
			}
			kind := "simple"
			if s.Products[l.Product].Variants > 0 {
				kind = "configurable"
			}
			next++
			item(next, kind, l.Quantity, cancelled, refunded, 1+l.Product, 1+i, nil)
			if kind == "configurable" {
				next++
				item(next, "simple", l.Quantity, 0, 0, bagistoVariant+100*l.Product+l.Variant, 1+i, next-1)
			}
		}
	}
}

func (s *bag) reviews() {
	add := s.into("product_reviews", "title rating status product_id customer_id created_at")
	for i, r := range s.Reviews {
		status := "approved"
		if !r.Approved {
			status = []string{"pending", "disapproved"}[i%2]
		}
		add("x", r.Stars, status, 1+r.Product, 1+r.Customer, r.At)
	}
}
