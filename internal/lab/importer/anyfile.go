package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kindred/internal/shop"
)

// aliases are the columns that are taken for a role where none is named, the likeliest first.
var aliases = []struct{ role, columns string }{
	{"product", "productid|itemid|sku|asin|stockcode|productcode|productsku|articleid|articleno|articlenumber|variantid|movieid|" +
		"songid|trackid|bookid|isbn|gtin|ean|lineitemsku|product|item|article|productname|itemname"},
	{"customer", "customerid|customernumber|customerno|userid|visitorid|clientid|reviewerid|memberid|shopperid|buyerid|" +
		"accountid|userpseudoid|anonymousid|customer|user|visitor|client|buyer|member"},
	{"email", "email|emailaddress|customeremail|useremail|buyeremail"},
	{"session", "sessionid|usersession|session|visitid|gasessionid"},
	{"order", "orderid|ordernumber|orderno|invoiceno|invoicenumber|invoiceid|transactionid|basketid|receiptid|order|invoice|" +
		"transaction|basket|receipt"},
	{"at", "timestamp|eventtime|eventtimestamp|datetime|createdat|orderedat|purchasedat|placedat|paidat|orderdate|invoicedate|" +
		"purchasedate|transactiondate|orderpurchasetimestamp|ratedat|eventdate|tdat|date|time|at|ts|unixreviewtime"},
	{"kind", "eventtype|event|eventname|kind|action|behavior|behaviour|behaviortype|interactiontype|interaction"},
	{"value", "rating|stars|overall|reviewscore|productrating|bookrating"},
	{"quantity", "quantity|qty|units|quantityordered|itemquantity|lineitemquantity"},
	{"price", "price|unitprice|itemprice|priceeach|saleprice|lineitemprice"},
	{"state", "orderstatus|financialstatus|paymentstatus|status|state"},
	{"name", "productname|itemname|prodname|producttitle|itemtitle|title|name|description|lineitemname"},
	{"category", "categories|categorycode|categoryname|category|productcategory|itemcategory|producttypename|producttype|" +
		"productline|department|genres|genre|categoryid"},
	{"brand", "brand|brandname|manufacturer|vendor|productvendor"},
	{"currency", "currency|currencycode"},
	{"country", "country|countrycode|customercountry|shippingcountry"},
	{"city", "city|customercity|shippingcity"},
}

// Roles are what a column of a file may be, for --column.
func Roles() []string {
	var all []string
	for _, a := range aliases {
		all = append(all, a.role)
	}
	return all
}

// unsold are the states of an order that was not sold in the end.
var unsold = []string{"cancelled", "canceled", "refunded", "voided", "void", "failed", "expired", "returned", "unavailable", "rejected"}

// places are a sheet's columns by role; -1 where it has none.
type places map[string]int

// places finds the columns of a sheet: those that are named, else those that are called as usual.
func (o Options) places(s *sheet) places {
	p := places{}
	for _, a := range aliases {
		if named, given := o.Columns[a.role]; given {
			p[a.role] = s.find(canonical(named))
		} else {
			p[a.role] = s.find(a.columns)
		}
	}
	return p
}

func (p places) has(role string) bool { return p[role] >= 0 }

func (p places) person() bool { return p.has("customer") || p.has("email") || p.has("session") }

// anyFile is any files of orders or events: with a product, and a customer, a session or an order on
// each line. A file of orders without products gives its lines in another file their customer and
// time, and a file of products gives names.
func anyFile(o Options) layout {
	return layout{kind: "orders-or-events", name: "orders or events", read: func(g *gathering, files map[string][]*sheet) error {
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

// checkColumns finds names of columns that no file has, or one file has twice.
func (o Options) checkColumns(sheets []*sheet) error {
	for _, a := range aliases {
		named := o.Columns[a.role]
		if named != "" && !slices.ContainsFunc(sheets, func(s *sheet) bool { return s.find(canonical(named)) >= 0 }) {
			return fmt.Errorf("%w: no file has the column %s, which --column names", ErrUnknownFolder, named)
		}
	}
	return nil
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

// unclear refuses a sheet that has a column twice which is needed.
func (s *sheet) unclear(p places) error {
	for role, column := range p {
		if column >= 0 && s.twice[canonical(s.columns[column])] {
			return fmt.Errorf("read %s, line 1: the column %s is there twice; rename the one that is not the %s", s.name,
				s.columns[column], role)
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
		g.note("%s does not say what happened: each line is taken as a %s (--kind says otherwise).", s.name, usually)
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
