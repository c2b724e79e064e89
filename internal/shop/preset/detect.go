package preset

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Auto recognises the system.
const Auto = "auto"

// Choice narrows down what Detect looks for.
type Choice struct {
	System string  // one of Names; "" and Auto: any
	Prefix *string // of the tables' names; nil: any
}

// Found is a shop of a known system.
type Found struct {
	System  string   `json:"system"`
	Title   string   `json:"title"`
	Version string   `json:"version"` // the range that the tables fit
	Prefix  string   `json:"prefix"`  // of the tables' names, may be ""
	Reasons []string `json:"reasons"` // what speaks for it

	system System
	schema schema
}

// String is "WooCommerce 9.2 or later (tables wp_…)".
func (f Found) String() string {
	s := f.Title + " " + f.Version
	if f.Prefix != "" {
		s += fmt.Sprintf(" (tables %s…)", f.Prefix)
	}
	return s
}

// Detect recognises the shop in the database of db by its tables and columns, whatever their prefix.
// It needs SELECT on the columns that the preset reads, and reads no row. ErrUnknownShop names tables
// that look like a shop's, and what a known system lacks; ErrSeveralShops names the shops, of which
// the caller must choose one by system or prefix.
func Detect(ctx context.Context, db *sql.DB, choice Choice) (Found, error) {
	if choice.System != "" && choice.System != Auto && !slices.Contains(Names(), choice.System) {
		return Found{}, fmt.Errorf("%w: there is no preset %q, want %s or %s", ErrUnknownShop, choice.System, Auto,
			strings.Join(Names(), ", "))
	}
	s, err := readSchema(ctx, db)
	if err != nil {
		return Found{}, err
	}
	var all []Found
	var near []string
	for _, system := range systems() {
		if choice.System != "" && choice.System != Auto && choice.System != system.Name {
			continue
		}
		found, missing := system.find(s, choice.Prefix)
		all = append(all, found...)
		near = append(near, missing...)
	}
	switch len(all) {
	case 0:
		return Found{}, unknown(s, near)
	case 1:
		return all[0], nil
	}
	return Found{}, several(all)
}

// find gives the shops of a system, and what others lack that look like one.
func (y System) find(s schema, prefix *string) (found []Found, near []string) {
	for _, p := range s.prefixes(y.key) {
		if y.fixed && p != "" || prefix != nil && *prefix != p {
			continue
		}
		if missing := y.lacks(s, p); len(missing) > 0 {
			if known := len(y.needs) + len(y.either); 2*len(missing) <= known {
				near = append(near, fmt.Sprintf("%s lacks %s (or SELECT is not granted on it)", y.Title, strings.Join(missing,
					", ")))
			}
			continue
		}
		if slices.ContainsFunc(y.without, func(t string) bool { _, ok := s.name(p, t); return ok }) {
			continue
		}
		f := Found{System: y.Name, Title: y.Title, Prefix: p, system: y, schema: s}
		for _, t := range y.needs {
			f.Reasons = append(f.Reasons, p+t.String())
		}
		for _, v := range y.versions {
			if !slices.ContainsFunc(v.has, func(t table) bool { return !s.has(p, t) }) {
				f.Version = v.name
				for _, t := range v.has {
					f.Reasons = append(f.Reasons, fmt.Sprintf("%s%s: %s", p, t, v.name))
				}
				break
			}
		}
		found = append(found, f)
	}
	return found, near
}

// lacks lists the tables and columns that a shop of this system would have.
func (y System) lacks(s schema, prefix string) (missing []string) {
	for _, t := range y.needs {
		missing = append(missing, s.lacks(prefix, t)...)
	}
	var best []string
	for i, group := range y.either {
		var lacking []string
		for _, t := range group {
			lacking = append(lacking, s.lacks(prefix, t)...)
		}
		if i == 0 || len(lacking) < len(best) {
			best = lacking
		}
	}
	return append(missing, best...)
}

func several(all []Found) error {
	var names []string
	titles, prefixes := map[string]bool{}, map[string]bool{}
	for _, f := range all {
		names = append(names, fmt.Sprintf("%v: --preset %s --prefix '%s'", f, f.System, f.Prefix))
		titles[f.Title], prefixes[f.Prefix] = true, true
	}
	how := "choose one with --preset"
	if len(titles) == 1 {
		how = "choose one with --prefix"
	}
	return fmt.Errorf("%w: %s; %s", ErrSeveralShops, strings.Join(names, "; "), how)
}

var (
	likeOrders   = regexp.MustCompile(`(?i)order|sale|purchase|invoice|basket|cart|transaction|bestell|commande|pedido`)
	likeProducts = regexp.MustCompile(`(?i)product|item|article|artikel|catalog|sku|produkt|produit`)
)

// listed bounds how many tables an error names.
const listed = 8

// unknown says what the database holds instead, and how to go on.
func unknown(s schema, near []string) error {
	var orders, products []string
	for _, t := range s.tables {
		if likeOrders.MatchString(t.name) {
			orders = append(orders, t.name)
		} else if likeProducts.MatchString(t.name) {
			products = append(products, t.name)
		}
	}
	about := func(what string, names []string) string {
		if len(names) == 0 {
			return "no table looks like " + what
		}
		slices.Sort(names)
		more := ""
		if len(names) > listed {
			more = fmt.Sprintf(" and %d more", len(names)-listed)
			names = names[:listed]
		}
		return "tables that look like " + what + ": " + strings.Join(names, ", ") + more
	}
	text := fmt.Sprintf("%d tables fit none of %s", len(s.tables), strings.Join(Names(), ", "))
	if len(near) > 0 {
		text += "; " + strings.Join(near, "; ")
	}
	return fmt.Errorf("%w: %s; %s; %s; write a mapping file with your own SELECT after each of the lines "+
		`"-- kindred: products", "-- kindred: customers" and "-- kindred: interactions", and give it with --mapping`,
		ErrUnknownShop, text, about("orders", orders), about("products", products))
}
