package shopsystem

import (
	"fmt"
	"strconv"
)

// The ids that every Shopware 6 has.
const (
	swLive     = binary("0fa91ce3e96a4bc2be4bd9ce752c3425")
	swDraft    = binary("d00d0000000000000000000000000001") // a version in which somebody edits an order
	swEnglish  = binary("2fbb5fe2e29a4d70aa5854ce7ce3e20b")
	swEuro     = binary("b7d2554b0ce847cd82f3ac9bd1c0dfca")
	swStore    = binary("8a243080f92e4c719546314b577cf82b") // the type of a storefront
	swMachine  = binary("d00d0000000000000000000000000002")
	swPayment  = binary("d00d0000000000000000000000000003")
	swDollar   = binary("d00d0000000000000000000000000004")
	swGerman   = binary("d00d0000000000000000000000000005")
	swChannels = "d00d00000000000000000000000001"
)

// swID makes the id of a thing of a sort. The top bit is set, so that no id is a readable text.
func swID(sort, i int) binary { return binary(fmt.Sprintf("9e%04xa0b1c2d3e4%016x", sort, i)) }

// The sorts of things with ids.
const (
	swProduct = iota + 1
	swVariant
	swBrand
	swCategory
	swCountry
	swState
	swTransactionState
	swCustomer
	swGuest
	swAddress
	swOrder
	swLine
	swOther
)

func swChannel(store int) binary { return binary(swChannels + fmt.Sprintf("%02x", store)) }

func shopware6() system {
	text := func(sort int) func(int) string { return func(i int) string { return string(swID(sort, i)) } }
	return system{
		name: "shopware6", versions: []string{"6.3", "6.4", "6.5", "6.6"}, brands: true, everywhere: true, reviewStores: true,
		traits: traits{guests: true, variants: true, stores: true, languages: true, disabled: true, uncounted: true,
			reviews: true, several: true},
		ids: func(*Plan) identity {
			return identity{product: text(swProduct), customer: text(swCustomer), order: text(swOrder),
				session: keyed("order", text(swOrder))}
		},
		write: func(b *builder) {
			s := &sw{builder: b}
			s.settings()
			s.catalogue()
			s.people()
			s.orders()
			s.reviews()
		},
	}
}

type sw struct {
	*builder
	others int
}

// other is a new id for a row that the preset does not read.
func (s *sw) other() binary {
	s.others++
	return swID(swOther, s.others)
}

var (
	swStates       = []string{"open", "in_progress", "completed", "cancelled"}
	swTransactions = []string{"open", "paid", "cancelled", "refunded", "authorized"}
)

func (s *sw) settings() {
	language := s.into("language", "id name created_at")
	language(swEnglish, "English", periodEnd)
	language(swGerman, "Deutsch", periodEnd)
	currency := s.into("currency", "id iso_code factor symbol created_at")
	currency(swEuro, "EUR", 1, "€", periodEnd)
	currency(swDollar, "USD", "2.0", "$", periodEnd)
	channel := s.into("sales_channel", "id type_id created_at")
	label := s.into("sales_channel_translation", "sales_channel_id language_id name created_at")
	for store, name := range []string{"Storefront", "B2B"} {
		channel(swChannel(store), swStore, periodEnd)
		label(swChannel(store), swEnglish, name, periodEnd)
	}
	state := s.into("state_machine_state", "id technical_name state_machine_id created_at")
	for i, name := range swStates {
		state(swID(swState, i), name, swMachine, periodEnd)
	}
	for i, name := range swTransactions {
		state(swID(swTransactionState, i), name, swMachine, periodEnd)
	}
	country := s.into("country", "id iso created_at")
	for i, c := range places {
		country(swID(swCountry, i), c.Country, periodEnd)
	}
}

func (s *sw) catalogue() {
	label := s.into("category_translation", "category_id category_version_id language_id name created_at")
	for i, name := range s.Categories {
		label(swID(swCategory, i), swLive, swEnglish, name, periodEnd)
	}
	maker := s.into("product_manufacturer_translation",
		"product_manufacturer_id product_manufacturer_version_id language_id name created_at")
	byBrand := map[string]binary{}
	for i, name := range brands {
		byBrand[name] = swID(swBrand, i)
		maker(swID(swBrand, i), swLive, swEnglish, name, periodEnd)
	}
	product := s.into("product",
		"id version_id product_number active parent_id parent_version_id product_manufacturer_id price stock "+
			"available_stock available is_closeout created_at")
	name := s.into("product_translation", "product_id product_version_id language_id name created_at")
	in := s.into("product_category", "product_id product_version_id category_id category_version_id")
	seen := s.into("product_visibility", "id product_id product_version_id sales_channel_id visibility created_at")
	for i, p := range s.Products {
		id := swID(swProduct, i)
		price := fmt.Sprintf(`{"c%s": {"net": 1.0, "gross": %d.%02d, "linked": true, "currencyId": "%s"}}`, swEuro,
			p.Cents/100, p.Cents%100, swEuro)
		stock := p.Stock
		if p.Variants > 0 {
			stock = 0 // a parent's own stock says nothing
		}
		product(id, swLive, "N"+strconv.Itoa(i), p.Enabled, nil, swLive, byBrand[p.Brand], price, stock, stock,
			!p.Counted || stock > 0, p.Counted, periodEnd)
		if i%7 == 0 { // somebody edits it
			product(id, swDraft, "N"+strconv.Itoa(i), true, nil, swLive, nil, price, 999, 999, true, false, periodEnd)
			name(id, swDraft, swEnglish, "Draft", periodEnd)
		}
		name(id, swLive, swEnglish, p.Names[0], periodEnd)
		name(id, swLive, swGerman, p.Names[1], periodEnd)
		for n := range p.Variants { // the rest is inherited
			product(swID(swVariant, 100*i+n), swLive, "N"+strconv.Itoa(i)+"."+strconv.Itoa(n), nil, id, swLive, nil, nil,
				p.Stock, p.Stock,
				!p.Counted || p.Stock > 0, nil, periodEnd)
		}
		for _, k := range p.Categories {
			in(id, swLive, swID(swCategory, k), swLive)
		}
		for store := range 2 {
			if p.Store < 0 || p.Store == store {
				seen(s.other(), id, swLive, swChannel(store), 30, periodEnd)
			}
		}
	}
}

func (s *sw) people() {
	country := map[string]binary{}
	for i, c := range places {
		country[c.Country] = swID(swCountry, i)
	}
	customer := s.into("customer",
		"id sales_channel_id default_billing_address_id customer_number first_name last_name email guest "+
			"created_at")
	address := s.into("customer_address", "id customer_id country_id first_name last_name city created_at")
	add := func(id binary, number int, c Customer, guest bool) {
		customer(id, swChannel(0), swID(swAddress, number), strconv.Itoa(number), "A", "B", "c@example.org", guest, periodEnd)
		address(swID(swAddress, number), id, country[c.Country], "A", "B", c.City, periodEnd)
	}
	for i, c := range s.Customers {
		add(swID(swCustomer, i), i, c, false)
	}
	for i, o := range s.Orders {
		if o.Customer < 0 && i%2 == 0 { // the other guests' rows have been cleaned up
			add(swID(swGuest, i), len(s.Customers)+i, s.Guests[o.Guest], true)
		}
	}
}

func (s *sw) orders() {
	order := s.into("order", "id version_id state_id order_number currency_id sales_channel_id order_date_time created_at")
	buyer := s.into("order_customer",
		"id version_id customer_id order_id order_version_id email first_name last_name created_at")
	line := s.into("order_line_item",
		"id version_id order_id order_version_id identifier referenced_id product_id product_version_id label "+
			"quantity type created_at")
	payment := s.into("order_transaction", "id version_id order_id order_version_id state_id payment_method_id created_at")
	next := 0
	for i, o := range s.Orders {
		id := swID(swOrder, i)
		state, paid := s.states(i, o.State)
		customer := any(swID(swCustomer, o.Customer))
		if o.Customer < 0 {
			if customer = nil; i%2 == 0 {
				customer = swID(swGuest, i)
			}
		}
		versions := []binary{swLive}
		if i%11 == 0 { // somebody edits the order: all of it is there twice
			versions = append(versions, swDraft)
		}
		for _, version := range versions {
			order(id, version, swID(swState, state), strconv.Itoa(10_000+i), swEuro, swChannel(o.Store), o.At, o.At)
			buyer(s.other(), version, customer, id, version, "x@example.org", "A", "B", o.At)
			if paid >= 0 {
				payment(s.other(), version, id, version, swID(swTransactionState, paid), swPayment, o.At)
			}
			if paid == 1 && i%5 == 0 { // the first attempt failed
				payment(s.other(), version, id, version, swID(swTransactionState, 2), swPayment, o.At)
			}
			for _, l := range o.Lines {
				product := swID(swProduct, l.Product)
				if s.Products[l.Product].Variants > 0 {
					product = swID(swVariant, 100*l.Product+l.Variant)
				}
				next++
				line(swID(swLine, next), version, id, version, string(product), string(product), product, swLive, "x", l.Quantity,
					"product", o.At)
			}
			next++
			line(swID(swLine, next), version, id, version, "code", nil, nil, nil, "5 % off", 1, "promotion", o.At)
		}
	}
}

// states gives the states of an order and of its payment, as positions in their lists; -1: no payment.
func (s *sw) states(i int, of State) (order, payment int) {
	switch of {
	case Open:
		return 0, 0
	case Cancelled:
		return 3, 2
	case Refunded:
		return 2, 3
	}
	all := [][2]int{{2, 1}, {1, 0}, {0, 1}, {0, 4}, {0, -1}}
	return all[i%len(all)][0], all[i%len(all)][1]
}

func (s *sw) reviews() {
	add := s.into("product_review",
		"id product_id product_version_id customer_id sales_channel_id language_id points status created_at")
	for _, r := range s.Reviews {
		add(s.other(), swID(swProduct, r.Product), swLive, swID(swCustomer, r.Customer), swChannel(0), swEnglish, r.Stars,
			r.Approved, r.At)
	}
}
