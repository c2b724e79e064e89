package shopsystem

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// View is the choice of a store and a language that a mapping makes.
type View struct {
	Store    int // index; AllStores
	Language int // index
}

// AllStores stands for the orders of every store.
const AllStores = -1

// ProductRow is a product as the mapping must show it.
type ProductRow struct {
	ID, Name   string
	Categories []string // sorted; nil: none
	Brand      string
	Price      string // two decimals; "": none
	Available  bool
}

// CustomerRow is a customer as the mapping must show it.
type CustomerRow struct{ ID, Country, City string }

// InteractionRow is an interaction as the mapping must show it. Empty texts are NULL.
type InteractionRow struct {
	Customer, Session, Product, Kind string
	Stars, Quantity                  int
	At                               time.Time
	Order                            string
}

// Expected is the whole of what a mapping must show of a plan.
type Expected struct {
	Products     []ProductRow
	Customers    []CustomerRow
	Interactions []InteractionRow
}

// Expect says what the rows that were written from p mean, by its own reckoning and not by SQL.
func (p *Plan) Expect(v View) Expected {
	system, _ := find(p.Config.System)
	ids := system.ids(p)
	var e Expected
	for i, q := range p.Products {
		row := ProductRow{ID: ids.product(i), Name: q.Names[v.Language], Price: fmt.Sprintf("%d.%02d", q.Cents/100,
			q.Cents%100),
			Available: q.Enabled && (!q.Counted || q.Stock > 0)}
		if q.Unpriced {
			row.Price = ""
		}
		if system.brands {
			row.Brand = q.Brand
		}
		everywhere := q.Store < 0 || v.Store == AllStores && system.everywhere
		if !everywhere && q.Store != max(v.Store, 0) {
			row.Available = false
		}
		for _, k := range q.Categories {
			row.Categories = append(row.Categories, p.Categories[k])
		}
		slices.Sort(row.Categories)
		row.Categories = slices.Compact(row.Categories)
		e.Products = append(e.Products, row)
	}
	for i, c := range p.Customers {
		e.Customers = append(e.Customers, CustomerRow{ID: ids.customer(i), Country: c.Country, City: c.City})
	}
	for i, o := range p.Orders {
		if system.days {
			o.At = o.At.Truncate(24 * time.Hour)
		}
		if o.State != Sold || v.Store != AllStores && o.Store != v.Store {
			continue
		}
		var order []int
		left := map[int]int{}
		for _, l := range o.Lines {
			if _, there := left[l.Product]; !there {
				order = append(order, l.Product)
			}
			left[l.Product] += l.Quantity - l.Back
		}
		for _, product := range order {
			if left[product] == 0 {
				continue
			}
			row := InteractionRow{Product: ids.product(product), Kind: "purchase", Quantity: left[product], At: o.At,
				Order: ids.order(i)}
			if o.Customer >= 0 {
				row.Customer = ids.customer(o.Customer)
			} else {
				row.Session = ids.session(i)
			}
			e.Interactions = append(e.Interactions, row)
		}
	}
	for _, r := range p.Reviews {
		if !r.Approved || v.Store > 0 && system.reviewStores {
			continue
		}
		e.Interactions = append(e.Interactions, InteractionRow{Customer: ids.customer(r.Customer),
			Product: ids.product(r.Product),
			Kind:    "rating", Stars: r.Stars, At: r.At})
	}
	return e
}

// Truth is the planted tastes, by the ids that a mapping shows.
type Truth struct {
	Config    Config              `json:"config"`
	Customers map[string][]string `json:"customers"` // the categories that each likes
	Products  map[string][]string `json:"products"`  // the categories that each is in
}

// Truth gives the planted tastes.
func (p *Plan) Truth() Truth {
	system, _ := find(p.Config.System)
	ids := system.ids(p)
	t := Truth{Config: p.Config, Customers: map[string][]string{}, Products: map[string][]string{}}
	names := func(categories []int) (all []string) {
		for _, k := range categories {
			all = append(all, p.Categories[k])
		}
		return all
	}
	for i, c := range p.Customers {
		t.Customers[ids.customer(i)] = names(c.Likes)
	}
	for i, q := range p.Products {
		t.Products[ids.product(i)] = names(q.Categories)
	}
	return t
}

// identity is how a system names things, by their positions in the plan.
type identity struct {
	product, customer, order func(i int) string
	session                  func(order int) string // of a guest's order
}

// numbered names things by numbers that begin at one more than the offset.
func numbered(offset int) func(int) string {
	return func(i int) string { return strconv.Itoa(offset + i + 1) }
}

// keyed puts a word before names, as the presets do for guests.
func keyed(word string, names func(int) string) func(int) string {
	return func(i int) string { return word + "-" + names(i) }
}
