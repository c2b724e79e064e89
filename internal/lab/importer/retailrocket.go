package importer

import (
	"cmp"
	"strings"

	"kindred/internal/shop"
)

// retailRocket is the events of RetailRocket, and the properties of the items if they are there.
func retailRocket() layout {
	return layout{kind: "retailrocket", name: "RetailRocket", read: readRetailRocket, roles: []role{
		{name: "events", columns: []string{"timestamp", "visitorid", "event", "itemid"}, many: true},
		{name: "properties", columns: []string{"timestamp", "itemid", "property", "value"}, optional: true, many: true},
	}}
}

func readRetailRocket(g *gathering, files map[string][]*sheet) error {
	for _, s := range files["events"] {
		at, visitor, event, item := s.find("timestamp"), s.find("visitorid"), s.find("event"), s.find("itemid")
		order := s.find("transactionid")
		_, err := s.each(false, func(r *row) error {
			g.seen++
			d := deed{customer: r.id(visitor), product: r.id(item), order: r.id(order), at: r.moment(at, dates{}),
				kind: g.kind(r, event)}
			if r.err == nil && d.kind == "" {
				return g.leave("without an event")
			}
			if r.err != nil {
				return r.err
			}
			return g.take(d)
		})
		if err != nil {
			return err
		}
	}
	return readProperties(g, files["properties"])
}

// readProperties takes the latest category and availability of the items that somebody met.
func readProperties(g *gathering, sheets []*sheet) error {
	type key struct {
		item     *product
		property string
	}
	latest := map[key]int64{}
	for _, s := range sheets {
		at, item, property, value := s.find("timestamp"), s.find("itemid"), s.find("property"), s.find("value")
		_, err := s.each(false, func(r *row) error {
			name := r.at(property)
			p := g.products[r.id(item)]
			if p == nil || name != "categoryid" && name != "available" {
				return nil
			}
			k, moment := key{p, strings.Clone(name)}, r.moment(at, dates{})
			if before, known := latest[k]; known && cmp.Compare(moment, before) < 0 {
				return nil
			}
			latest[k] = moment
			if v := r.at(value); name == "available" {
				p.gone = v == "0"
			} else if v != "" {
				p.categories = []string{"category " + strings.Clone(v)}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// amazon is the reviews of Amazon's products, of 2018 and of 2023, and what is known of the products.
func amazon() layout {
	return layout{kind: "amazon-reviews", name: "Amazon reviews", read: readAmazon, roles: []role{
		{name: "reviews", columns: []string{"overall|rating", "reviewerID|user_id", "asin|parent_asin",
			"unixReviewTime|timestamp"},
			many: true},
		{name: "products", columns: []string{"parent_asin|asin", "title"}, optional: true, many: true},
	}}
}

func readAmazon(g *gathering, files map[string][]*sheet) error {
	for _, s := range files["reviews"] {
		stars, user, item := s.find("overall|rating"), s.find("reviewerid|userid"), s.find("parentasin")
		asin, at := s.find("asin"), s.find("unixreviewtime|timestamp")
		_, err := s.each(false, func(r *row) error {
			g.seen++
			d := deed{kind: shop.KindRating, customer: r.id(user), product: cmp.Or(r.id(item), r.id(asin)),
				value: r.stars(stars),
				at:    r.moment(at, dates{})}
			if r.err != nil {
				return r.err
			}
			if d.value == nil {
				return g.leave("without stars")
			}
			return g.take(d)
		})
		if err != nil {
			return err
		}
	}
	for _, s := range files["products"] {
		if err := readAmazonProducts(g, s); err != nil {
			return err
		}
	}
	return nil
}

// readAmazonProducts takes names, categories, brands and prices of the products that were reviewed.
func readAmazonProducts(g *gathering, s *sheet) error {
	item, asin, title, brand := s.find("parentasin"), s.find("asin"), s.find("title"), s.find("brand|store")
	categories, group, price := s.find("categories|category"), s.find("maincategory|maincat"), s.find("price")
	_, err := s.each(false, func(r *row) error {
		p := g.products[cmp.Or(r.id(item), r.id(asin))]
		if p == nil {
			return r.err // nobody has reviewed it
		}
		p.call(r.at(title))
		p.brand = truncate(strings.Clone(r.at(brand)), maxBrand)
		p.categories = list(strings.Clone(r.at(categories)))
		if len(p.categories) == 0 {
			p.categories = list(strings.Clone(r.at(group)))
		}
		if amount, err := parseAmount(r.at(price)); err == nil { // others say "from 12.99", or how the page is built
			p.costs(amount, 0)
			p.currency = "USD"
		}
		return nil
	})
	return err
}
