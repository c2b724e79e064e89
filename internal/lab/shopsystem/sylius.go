package shopsystem

import (
	"fmt"
	"strconv"
)

// syliusGuest is where customers begin that have no account.
const syliusGuest = 600_000

func sylius() system {
	return system{
		name: "sylius", versions: []string{"1.8", "1.13", "2.0"},
		traits: traits{guests: true, variants: true, stores: true, languages: true, disabled: true, uncounted: true,
			reviews: true, several: true},
		ids: func(p *Plan) identity {
			return identity{product: syliusCode, customer: numbered(0), order: numbered(0),
				session: func(i int) string { return "guest-" + strconv.Itoa(syliusGuest+1+p.Orders[i].Guest) }}
		},
		write: func(b *builder) {
			s := &syl{b}
			s.settings()
			s.catalogue()
			s.people()
			s.orders()
			s.reviews()
		},
	}
}

func syliusCode(i int) string { return fmt.Sprintf("PRODUCT_%05d", i) }

type syl struct{ *builder }

func (s *syl) settings() {
	locale := s.into("sylius_locale", "id code created_at")
	locale(1, "de_DE", periodEnd)
	locale(2, "en_US", periodEnd)
	currency := s.into("sylius_currency", "id code created_at")
	currency(1, "USD", periodEnd)
	currency(2, "EUR", periodEnd)
	channel := s.into("sylius_channel",
		"id default_locale_id base_currency_id code name enabled created_at tax_calculation_strategy")
	channel(1, 2, 2, "OLD", "Closed", false, periodEnd, "x")
	channel(2, 2, 2, "WEB", "Web", true, periodEnd, "x")
	channel(3, 1, 1, "B2B", "B2B", true, periodEnd, "x")
}

func (s *syl) catalogue() {
	product := s.into("sylius_product", "id code created_at enabled variant_selection_method")
	name := s.into("sylius_product_translation", "translatable_id name slug locale")
	columns := "id product_id code created_at position on_hold on_hand tracked shipping_required"
	if s.since("1.13") {
		columns += " enabled"
	}
	variant := s.into("sylius_product_variant", columns)
	price := s.into("sylius_channel_pricing", "product_variant_id price channel_code")
	sold := s.into("sylius_product_channels", "product_id channel_id")
	in := s.into("sylius_product_taxon", "product_id taxon_id position")
	label := s.into("sylius_taxon_translation", "translatable_id name slug locale")
	for i, c := range s.Categories {
		label(1+i, c, "t", "en_US")
		label(1+i, c, "t", "de_DE")
	}
	for i, p := range s.Products {
		id := 1 + i
		product(id, syliusCode(i), periodEnd, p.Enabled, "match")
		name(id, p.Names[0], fmt.Sprintf("p-%d", i), "en_US")
		name(id, p.Names[1], fmt.Sprintf("p-%d", i), "de_DE")
		for n := range max(1, p.Variants) {
			number := syliusVariant(i, n)
			hold := 7 // of what is on hand, so that only the difference counts
			values := []any{number, id, fmt.Sprintf("V%d", number), periodEnd, n, hold, p.Stock + hold, p.Counted, true}
			if s.since("1.13") {
				values = append(values, true)
			}
			variant(values...)
			price(number, int(p.Cents)+100*n, "WEB")
			price(number, 2*int(p.Cents), "B2B")
		}
		for store := range 2 {
			if p.Store < 0 || p.Store == store {
				sold(id, 2+store)
			}
		}
		for _, k := range p.Categories {
			in(id, 1+k, 0)
		}
	}
}

func syliusVariant(product, n int) int { return 1 + 100*product + n }

func (s *syl) people() {
	customer := s.into("sylius_customer",
		"id default_address_id email email_canonical created_at subscribed_to_newsletter")
	user := s.into("sylius_shop_user", "customer_id enabled salt locked roles created_at")
	address := s.into("sylius_address", "id customer_id first_name last_name street city postcode created_at country_code")
	for i, c := range s.Customers {
		customer(1+i, 1+i, "c@example.org", "c@example.org", periodEnd, false)
		user(1+i, true, "x", false, "[]", periodEnd)
		address(1+i, 1+i, "A", "B", "C", c.City, "1", periodEnd, c.Country)
	}
	for i := range s.Guests {
		customer(syliusGuest+1+i, nil, "g@example.org", "g@example.org", periodEnd, false)
	}
}

func (s *syl) orders() {
	order := s.into("sylius_order",
		"id channel_id customer_id number state checkout_completed_at items_total total created_at currency_code "+
			"locale_code checkout_state payment_state shipping_state")
	item := s.into("sylius_order_item", "order_id variant_id quantity unit_price total is_immutable")
	for i, o := range s.Orders {
		customer := 1 + o.Customer
		if o.Customer < 0 {
			customer = syliusGuest + 1 + o.Guest
		}
		state, paid, completed := "new", "awaiting_payment", any(o.At)
		switch o.State {
		case Sold:
			state, paid = []string{"new", "fulfilled"}[i%2], []string{"paid", "authorized", "partially_refunded"}[i%3]
		case Cancelled:
			state, paid = "cancelled", "cancelled"
		case Refunded:
			state, paid = "fulfilled", "refunded"
		case Open:
			if i%2 == 0 { // a cart
				state, paid, completed = "cart", "cart", nil
			}
		}
		order(1+i, 2+o.Store, customer, strconv.Itoa(1+i), state, completed, 0, 0, o.At.AddDate(0, 0, -1), "EUR", "en_US",
			"x", paid, "x")
		for _, l := range o.Lines {
			item(1+i, syliusVariant(l.Product, l.Variant), l.Quantity, 0, 0, false)
		}
	}
}

func (s *syl) reviews() {
	add := s.into("sylius_product_review", "product_id author_id rating status created_at")
	for i, r := range s.Reviews {
		status := "accepted"
		if !r.Approved {
			status = []string{"new", "rejected"}[i%2]
		}
		add(1+r.Product, 1+r.Customer, r.Stars, status, r.At)
	}
}
