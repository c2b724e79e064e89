package importer

import (
	"cmp"
	"slices"
	"strings"

	"kindred/internal/shop"
)

// unsold are the states of an order that was not sold in the end.
var unsold = []string{"cancelled", "canceled", "refunded", "voided", "void", "failed", "expired", "returned",
	"unavailable", "rejected"}

// anyFile is any files of orders or events: with a product, and a customer, a session or an order on
// each line. A file of orders without products gives its lines in another file their customer and
// time, and a file of products gives names.
func anyFile(o Options) layout {
	return layout{kind: "orders-or-events", name: "orders or events",
		read: func(g *gathering, files map[string][]*sheet) error {
			return readAny(g, o, files)
		}, pick: func(s *sheet) string {
			p := o.places(s)
			switch {
			case p.has("product") && (p.person() || p.has("order")):
				return "lines"
			case p.has("product") && (p.has("name") || p.has("category")):
				return "products"
			case p.has("order") && p.person():
				return "orders"
			}
			return ""
		}, roles: []role{{name: "lines", many: true}}}
}

func readAny(g *gathering, o Options, files map[string][]*sheet) error {
	orders, err := readAnyOrders(g, o, files["orders"])
	if err != nil {
		return err
	}
	for _, s := range files["lines"] {
		if err := readAnyLines(g, o, s, orders); err != nil {
			return err
		}
	}
	for _, s := range files["products"] {
		p := o.places(s)
		if err := s.unclear(p); err != nil {
			return err
		}
		_, err := s.each(false, func(r *row) error {
			if id := r.id(p["product"]); id != "" {
				g.describe(id, r, p, shop.NoMoment)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// describe takes what a line says of its product.
func (g *gathering) describe(id string, r *row, p places, at int64) {
	known := g.product(id)
	if name := r.at(p["name"]); name != "" {
		known.call(name)
	}
	if category := r.at(p["category"]); category != "" {
		known.categories = categoriesOf(known.categories, category)
	}
	if brand := r.at(p["brand"]); brand != "" && brand != known.brand {
		known.brand = truncate(strings.Clone(brand), maxBrand)
	}
	if currency := r.at(p["currency"]); currency != "" && currency != known.currency {
		known.currency = truncate(strings.Clone(currency), maxCurrency)
	}
	if amount := r.number(p["price"]); amount != nil {
		known.costs(*amount, at)
	}
}

const maxCurrency = 20 // characters

// categoriesOf cuts a JSON list, and a text with bars as MovieLens has. before is kept where it is
// the same.
func categoriesOf(before []string, text string) []string {
	if len(before) == 1 && before[0] == text {
		return before
	}
	all := list(strings.Clone(text))
	if len(all) == 1 {
		all = strings.Split(all[0], "|")
	}
	return all
}

// who reads the customer, or stands for one who is known by e-mail address.
func (p places) who(r *row) string { return cmp.Or(r.id(p["customer"]), person(r.at(p["email"]))) }

// readAnyOrders reads files of orders whose products stand in another file.
func readAnyOrders(g *gathering, o Options, sheets []*sheet) (map[string]orderOf, error) {
	orders := map[string]orderOf{}
	share := g.shared()
	for _, s := range sheets {
		p := o.places(s)
		if err := s.unclear(p); err != nil {
			return nil, err
		}
		dates, err := g.datesOf(s, p["at"], false)
		if err != nil {
			return nil, err
		}
		_, err = s.each(false, func(r *row) error {
			of := orderOf{customer: share(p.who(r)), at: r.moment(p["at"], dates)}
			if slices.Contains(unsold, strings.ToLower(r.at(p["state"]))) {
				of.why = cancelled
			}
			if p.has("country") || p.has("city") {
				g.lives(of.customer, r.at(p["country"]), r.at(p["city"]))
			}
			orders[strings.Clone(r.id(p["order"]))] = of
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// usually is what a line without a kind is.
func (o Options) usually(p places) string {
	switch {
	case o.Kind != "":
		return o.Kind
	case p.has("order"), p.has("quantity"), p.has("price"):
		return shop.KindPurchase
	}
	return shop.KindView
}

func readAnyLines(g *gathering, o Options, s *sheet, orders map[string]orderOf) error {
	p := o.places(s)
	if err := s.unclear(p); err != nil {
		return err
	}
	if o.Kind != "" {
		p["kind"] = -1
		if o.Kind != shop.KindRating {
			p["value"] = -1
		}
	}
	usually := o.usually(p)
	if !p.has("kind") && !p.has("value") && o.Kind == "" {
		g.note("%s does not say what happened: each line is taken as a %s (--kind sets another kind).", s.name, usually)
	}
	dates, err := g.datesOf(s, p["at"], false)
	if err != nil {
		return err
	}
	joined := len(orders) > 0 && !p.person()
	_, err = s.each(false, func(r *row) error {
		g.seen++
		d := deed{product: r.id(p["product"]), customer: p.who(r), session: r.id(p["session"]), order: r.id(p["order"]),
			kind: usually, at: r.moment(p["at"], dates), quantity: r.quantity(p["quantity"])}
		if of, known := orders[d.order]; joined && !known {
			return g.leave(noOrder)
		} else if joined && of.why != "" {
			return g.leave(of.why)
		} else if joined {
			d.customer = of.customer
			if d.at == shop.NoMoment {
				d.at = of.at
			}
		}
		return g.anyLine(d, r, p)
	})
	return err
}

// anyLine sets what a line says that happened, and hands it on.
func (g *gathering) anyLine(d deed, r *row, p places) error {
	if p.has("kind") {
		if d.kind = g.kind(r, p["kind"]); d.kind == "" && r.err == nil {
			return g.leave("without an event")
		}
	} else if p.has("value") && r.at(p["value"]) != "" {
		d.kind = shop.KindRating
	}
	if d.kind == shop.KindRating {
		if d.value = r.stars(p["value"]); d.value == nil && r.err == nil {
			return g.leave("without stars")
		}
	}
	if d.product != "" {
		g.describe(d.product, r, p, d.at)
	}
	if p.has("country") || p.has("city") {
		g.lives(d.customer, r.at(p["country"]), r.at(p["city"]))
	}
	switch {
	case r.err != nil:
		return r.err
	case slices.Contains(unsold, strings.ToLower(r.at(p["state"]))):
		return g.leave(cancelled)
	}
	return g.take(d)
}
