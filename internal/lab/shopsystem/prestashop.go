package shopsystem

import "strconv"

// prestaStates is the first version in which a product is there before it is saved.
const prestaStates = "1.7"

// Numbers of PrestaShop's states of an order, and where its own numbers begin.
const (
	prestaPaid      = 2
	prestaDelivered = 5
	prestaCancelled = 6
	prestaRefunded  = 7
	prestaBackorder = 9 // paid, and not valid yet
	prestaWaiting   = 10
	prestaGuest     = 700_000
)

func prestashop() system {
	return system{
		name: "prestashop", versions: []string{"1.6", prestaStates, "8", "9"}, prefix: "ps_", prefixed: true, brands: true,
		traits: traits{guests: true, variants: true, stores: true, languages: true, disabled: true, uncounted: true,
			refunds: true, reviews: true, several: true},
		ids: func(*Plan) identity {
			return identity{product: numbered(0), customer: numbered(0), order: numbered(0),
				session: keyed("guest", numbered(prestaGuest))}
		},
		write: func(b *builder) {
			p := &presta{b}
			p.settings()
			p.states()
			p.catalogue()
			p.people()
			p.orders()
			p.reviews()
		},
	}
}

type presta struct{ *builder }

func (p *presta) settings() {
	set := p.into("configuration", "id_shop name value date_add date_upd")
	for _, s := range [][2]string{{"PS_SHOP_DEFAULT", "1"}, {"PS_LANG_DEFAULT", "1"}, {"PS_CURRENCY_DEFAULT", "1"},
		{"PS_STOCK_MANAGEMENT", "1"},
		{"PS_ORDER_OUT_OF_STOCK", "0"}, {"PS_ROOT_CATEGORY", "1"}, {"PS_HOME_CATEGORY", "2"}, {"PS_OS_CANCELED", "6"},
		{"PS_OS_REFUND", "7"}} {
		set(nil, s[0], s[1], periodEnd, periodEnd)
	}
	set(2, "PS_LANG_DEFAULT", "2", periodEnd, periodEnd) // of the second shop alone
	shop := p.into("shop", "id_shop id_shop_group name theme_name")
	shop(1, 1, "Main", "classic")
	shop(2, 1, "B2B", "classic")
	language := p.into("lang", "id_lang name active iso_code")
	language(1, "English", true, "en")
	language(2, "Deutsch", true, "de")
	if p.since("8") {
		currency := p.into("currency", "id_currency iso_code conversion_rate")
		currency(1, "EUR", "1.000000")
		currency(2, "USD", "2.000000")
	} else {
		currency := p.into("currency", "id_currency name iso_code conversion_rate")
		currency(1, "Euro", "EUR", "1.000000")
		currency(2, "Dollar", "USD", "2.000000")
	}
	country := p.into("country", "id_country iso_code")
	for i, c := range places {
		country(1+i, c.Country)
	}
}

func (p *presta) states() {
	state := p.into("order_state", "id_order_state logable paid")
	for _, id := range []int{prestaPaid, prestaDelivered} {
		state(id, true, true)
	}
	for _, id := range []int{prestaCancelled, prestaRefunded, prestaWaiting} {
		state(id, false, false)
	}
	state(prestaBackorder, false, true)
}

func (p *presta) catalogue() {
	columns := "id_product id_manufacturer reference price active date_add date_upd"
	if p.since(prestaStates) {
		columns += " state"
	}
	product := p.into("product", columns)
	of := p.into("product_shop", "id_product id_shop price active available_for_order visibility date_add date_upd")
	name := p.into("product_lang", "id_product id_shop id_lang link_rewrite name")
	stock := p.into("stock_available", "id_product id_product_attribute id_shop id_shop_group quantity out_of_stock")
	in := p.into("category_product", "id_category id_product")
	category := p.into("category", "id_category id_parent level_depth active date_add date_upd is_root_category")
	label := p.into("category_lang", "id_category id_shop id_lang name link_rewrite")
	category(1, 0, 0, true, periodEnd, periodEnd, false)
	category(2, 1, 1, true, periodEnd, periodEnd, true)
	for shop := 1; shop <= 2; shop++ {
		for language := 1; language <= 2; language++ {
			label(2, shop, language, "Home", "home")
			for i, c := range p.Categories {
				label(3+i, shop, language, c, "c")
			}
		}
	}
	for i := range p.Categories {
		category(3+i, 2, 2, true, periodEnd, periodEnd, false)
	}
	maker := p.into("manufacturer", "id_manufacturer name date_add date_upd")
	byBrand := map[string]int{}
	for i, b := range brands {
		byBrand[b] = 1 + i
		maker(1+i, b, periodEnd, periodEnd)
	}
	for i, q := range p.Products {
		id := 1 + i
		allowed, visibility := 0, "both"
		if !q.Counted {
			allowed = 1
		}
		active, sold := q.Enabled, true
		if !q.Enabled { // each of the ways
			active, sold = i%3 == 0, i%3 != 1
			if active {
				visibility, sold = []string{"none", "both"}[i/3%2], i/3%2 == 0
			}
		}
		values := []any{id, byBrand[q.Brand], "R" + strconv.Itoa(id), amount(q.Cents), q.Enabled, periodEnd, periodEnd}
		if p.since(prestaStates) {
			saved := q.Enabled || i%3 != 2
			active = active || !saved
			values = append(values, saved)
		}
		product(values...)
		for shop := 1; shop <= 2; shop++ {
			if q.Store >= 0 && q.Store != shop-1 { // a shop has no row of what it does not sell
				continue
			}
			of(id, shop, amount(q.Cents), active, sold, visibility, periodEnd, periodEnd)
			for language := 1; language <= 2; language++ {
				name(id, shop, language, "p", q.Names[language-1])
			}
			if i%2 == 0 {
				stock(id, 0, shop, 0, q.Stock, allowed)
			}
		}
		if i%2 == 1 {
			stock(id, 0, 0, 1, q.Stock, allowed) // shared in the group of shops
		}
		for n := range q.Variants {
			stock(id, 1+100*i+n, 1, 0, q.Stock, allowed)
		}
		in(2, id)
		for _, k := range q.Categories {
			in(3+k, id)
		}
	}
}

func (p *presta) people() {
	customer := p.into("customer", "id_customer firstname lastname email passwd active is_guest date_add date_upd")
	address := p.into("address", "id_country id_customer alias lastname firstname address1 city date_add date_upd deleted")
	country := map[string]int{}
	for i, c := range places {
		country[c.Country] = 1 + i
	}
	for i, c := range p.Customers {
		customer(1+i, "A", "B", "c@example.org", "", true, false, periodEnd, periodEnd)
		address(1, 1+i, "old", "B", "A", "C", "Nowhere", periodEnd, periodEnd, true)
		address(country[c.Country], 1+i, "home", "B", "A", "C", c.City, periodEnd, periodEnd, false)
	}
	for i, o := range p.Orders {
		if o.Customer < 0 { // a new row for each order, whoever it is
			customer(prestaGuest+1+i, "A", "B", "g@example.org", "", true, true, periodEnd, periodEnd)
		}
	}
}

func (p *presta) orders() {
	order := p.into("orders",
		"id_order id_shop id_lang id_customer id_cart id_currency current_state payment invoice_date "+
			"delivery_date valid date_add date_upd")
	detail := p.into("order_detail",
		"id_order id_shop product_id product_attribute_id product_name product_quantity "+
			"product_quantity_refunded product_quantity_return")
	for i, o := range p.Orders {
		customer := 1 + o.Customer
		if o.Customer < 0 {
			customer = prestaGuest + 1 + i
		}
		state, valid := map[State]int{Open: prestaWaiting, Cancelled: prestaCancelled, Refunded: prestaRefunded}[o.State],
			o.State == Sold
		if valid {
			state = []int{prestaPaid, prestaDelivered, prestaBackorder}[i%3]
			valid = state != prestaBackorder
		}
		order(1+i, 1+o.Store, 1, customer, 1, 1, state, "card", "0000-00-00 00:00:00", "0000-00-00 00:00:00", valid, o.At,
			o.At)
		for n, l := range o.Lines {
			attribute := 0
			if p.Products[l.Product].Variants > 0 {
				attribute = 1 + 100*l.Product + l.Variant
			}
			returned := []int{0, l.Back, l.Back / 2}[n%3] // after the delivery
			detail(1+i, 1+o.Store, 1+l.Product, attribute, "x", l.Quantity, l.Back-returned, returned)
		}
	}
}

func (p *presta) reviews() {
	add := p.into("product_comment", "id_product id_customer content grade validate deleted date_add")
	for i, r := range p.Reviews {
		deleted := !r.Approved && i%2 == 0
		add(1+r.Product, 1+r.Customer, "", r.Stars, r.Approved || deleted, deleted, r.At)
	}
}
