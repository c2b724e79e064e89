package train

import (
	"slices"

	"kindred/internal/lake/interaction"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/evaluation"
	"kindred/internal/shop"
)

// Data is what training learns from, of either contract, with ratings pointing into customers and
// products.
type Data struct {
	Customers []Customer // in the order of their ids, then guests
	Products  []Product  // in the order of their ids
	// Ratings say whom which product was for, each pair once: stars, or fiveStars where the shop has
	// no stars and somebody bought it.
	Ratings  []evaluation.Rating
	Feedback []Feedback
	// Sessions are the products that visitors who are no customers looked at, of each session that has
	// more than one, ascending.
	Sessions [][]int32
	// Counted says that the set is one of interactions: Feedback has the purchases after a pair's
	// first.
	Counted bool
	centred *dense // see dense; nil until it is asked for
}

// Customer is a row that is learned.
type Customer struct {
	ID            string
	Guest         bool // without an account: teaches, and is no customer of a version
	Country, City string
	Credit        *float64 // limit, in currency units
	Features      []Feature
	Numbers       []Number
	colour        uint64 // what is known without looking at others
}

// Product is a column that is learned.
type Product struct {
	ID, Name   string
	Line       string   // what people read; of several categories the first
	Categories []string // whose popularity a new product is given; may be empty
	Stock      int16    // 0: not to be recommended
	Features   []Feature
	Numbers    []Number
	embedding  []float32 // of its text or image; nil: it has none
	colour     uint64
}

// Feature is a value that several rows share, such as brand=Min Lin.
type Feature struct {
	Name, Value string
	kind        uint64 // of the column, whatever its name
}

// Number is cut into buckets of as many rows each.
type Number struct {
	Name  string
	Value float64
}

// Feedback is something that a customer did with a product, other than a rating.
type Feedback struct {
	Customer, Product int32
	Action            interaction.Action
	At                int64 // unix seconds
}

// The kinds of nodes in a shop's graph, and of the edges from customers and products to their
// features.
const (
	nodeCustomer uint64 = iota + 1
	nodeProduct
	nodeCountry
	nodeCity
	nodeLine
	nodeScale
	nodeVendor
	nodeGuest
	nodeCategory
	nodeBrand
	// nodeAttribute is the first of the further columns, which follow one another.
	nodeAttribute = 1000
)

// fromSet takes a training set of ratings.
func fromSet(set *trainingset.Set) *Data {
	ratings := make([]evaluation.Rating, len(set.Interactions))
	for i, r := range set.Interactions {
		ratings[i] = evaluation.Rating{Customer: r.Customer, Product: r.Product, Stars: r.Stars, RatedAt: r.RatedAt}
	}
	return NewData(set.Customers, set.Products, ratings)
}

// NewData is what a shop with ratings gives to learn from. ratings point into customers and
// products.
func NewData(customers []shop.Customer, products []shop.Product, ratings []evaluation.Rating) *Data {
	data := &Data{Customers: make([]Customer, len(customers)), Products: make([]Product, len(products)), Ratings: ratings}
	for i, c := range customers {
		row := Customer{ID: c.ID, Country: c.Country, City: c.City, colour: nodeCustomer}
		if c.CreditLimit != nil {
			units := float64(*c.CreditLimit) / 100
			row.Credit = &units
			row.colour ^= evaluation.Mix(uint64(*c.CreditLimit) + nodeCustomer)
		}
		data.Customers[i] = row
	}
	for i, p := range products {
		data.Products[i] = Product{ID: p.Code, Name: p.Name, Line: p.Line, Categories: []string{p.Line},
			Stock: p.QuantityInStock, colour: nodeProduct ^ evaluation.Mix(uint64(p.MSRP)+nodeProduct),
			Features: []Feature{{"category", p.Line, nodeLine}, {"scale", p.Scale, nodeScale}, {"brand", p.Vendor, nodeVendor}},
			Numbers:  []Number{{"price", float64(p.MSRP) / 100}}}
	}
	return data
}

// addFeedback adds what the training set's customers, and sessions without a customer, did with its
// products. Others came later, or have gone.
func (d *Data) addFeedback(interactions []interaction.Interaction) {
	customers, products := make(map[string]int32, len(d.Customers)), make(map[string]int32, len(d.Products))
	for i, c := range d.Customers {
		if !c.Guest {
			customers[c.ID] = int32(i)
		}
	}
	for i, p := range d.Products {
		products[p.ID] = int32(i)
	}
	sessions := map[string][]int32{}
	for _, in := range interactions {
		if product, known := products[in.ProductCode]; known && in.CustomerID == "" && in.SessionID != "" {
			sessions[in.SessionID] = append(sessions[in.SessionID], product)
			continue
		}
		customer, known := customers[in.CustomerID]
		product, knownToo := products[in.ProductCode]
		if known && knownToo {
			d.Feedback = append(d.Feedback, Feedback{customer, product, in.Action, in.OccurredAt / 1000})
		}
	}
	for _, looked := range sessions {
		slices.Sort(looked)
		if looked = slices.Compact(looked); len(looked) > 1 {
			d.Sessions = append(d.Sessions, looked)
		}
	}
}

// guest reports whether a row is no customer's.
func (d *Data) guest(customer int32) bool { return d.Customers[customer].Guest }
