package train

import (
	"cmp"
	"slices"

	"kindred/internal/model/canonical"
	"kindred/internal/model/evaluation"
)

// ordered is the same data with customers and products in canonical order, and everything else by
// customer, product and time. All of training goes by this order: initial vectors, what is drawn,
// in which order numbers are added. So neither how a shop spells its codes, names of lines, cities
// and so on, nor the order of its rows changes a figure or a vector. Of several ratings of a pair
// the newest counts.
func (d *Data) ordered() *Data {
	customers, products, values := d.ranks()
	o := &Data{Counted: d.Counted, Customers: make([]Customer, len(customers)), Products: make([]Product, len(products)),
		Ratings: make([]evaluation.Rating, len(d.Ratings)), Feedback: make([]Feedback, len(d.Feedback))}
	for i, rank := range customers {
		o.Customers[rank] = d.Customers[i]
	}
	for i, rank := range products {
		o.Products[rank] = d.Products[i]
		o.Products[rank].Features = values.sorted(d.Products[i].Features)
	}
	for i, r := range d.Ratings {
		r.Customer, r.Product = customers[r.Customer], products[r.Product]
		o.Ratings[i] = r
	}
	for i, f := range d.Feedback {
		f.Customer, f.Product = customers[f.Customer], products[f.Product]
		o.Feedback[i] = f
	}
	for _, session := range d.Sessions {
		looked := make([]int32, len(session))
		for i, p := range session {
			looked[i] = products[p]
		}
		slices.Sort(looked)
		o.Sessions = append(o.Sessions, looked)
	}
	slices.SortFunc(o.Sessions, slices.Compare)
	slices.SortFunc(o.Ratings, func(a, b evaluation.Rating) int { // the newest of a pair first
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Product, b.Product),
			cmp.Compare(b.RatedAt, a.RatedAt), cmp.Compare(b.Stars, a.Stars))
	})
	o.Ratings = slices.CompactFunc(o.Ratings, func(a, b evaluation.Rating) bool {
		return a.Customer == b.Customer && a.Product == b.Product
	})
	slices.SortFunc(o.Feedback, func(a, b Feedback) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Product, b.Product),
			cmp.Compare(a.At, b.At), cmp.Compare(a.Action, b.Action))
	})
	return o
}

// ranks are the places of customers, products and values in canonical order.
func (d *Data) ranks() (customers, products []int32, values places) {
	g := newGraph(d)
	customers, products = make([]int32, len(d.Customers)), make([]int32, len(d.Products))
	nextCustomer, nextProduct := int32(0), int32(0)
	place := make([]int32, len(g.colours))
	for i, node := range canonical.Order(&canonical.Graph{Colours: g.colours, Edges: g.edges}) {
		place[node] = int32(i)
		switch product := int(node) - len(customers); {
		case product < 0:
			customers[node] = nextCustomer
			nextCustomer++
		case product < len(products):
			products[product] = nextProduct
			nextProduct++
		}
	}
	return customers, products, places{g.values, place}
}

// places are the places of features' values in canonical order.
type places struct {
	nodes map[value]int32
	place []int32
}

// sorted puts several values of one kind, such as categories, into canonical order.
func (p places) sorted(features []Feature) []Feature {
	several := false
	for i := 1; i < len(features); i++ {
		several = several || features[i].kind == features[i-1].kind
	}
	if !several {
		return features
	}
	sorted := slices.Clone(features)
	at := func(f Feature) int32 { return p.place[p.nodes[value{f.kind, f.Value}]] }
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && sorted[end].kind == sorted[start].kind {
			end++
		}
		slices.SortFunc(sorted[start:end], func(a, b Feature) int { return cmp.Compare(at(a), at(b)) })
		start = end
	}
	return sorted
}

// graph is a shop without its names: customers, then products, then the values of their features,
// which are nodes too, so that it matters who shares a value and not how it is spelled. Amounts of
// money and times are what they are.
type graph struct {
	data     *Data
	colours  []uint64
	values   map[value]int32
	features []feature
}

type value struct {
	kind uint64
	text string
}

// feature is an edge to a value.
type feature struct {
	of, value int32
	kind      uint64
}

func newGraph(d *Data) *graph {
	g := &graph{data: d, values: map[value]int32{}, colours: make([]uint64, 0, len(d.Customers)+len(d.Products))}
	for i := range d.Customers {
		g.colours = append(g.colours, d.Customers[i].colour)
	}
	for i := range d.Products {
		g.colours = append(g.colours, d.Products[i].colour)
	}
	for i := range d.Customers {
		g.feature(i, nodeCountry, d.Customers[i].Country)
		g.feature(i, nodeCity, d.Customers[i].City)
		for _, f := range d.Customers[i].Features {
			g.feature(i, f.kind, f.Value)
		}
	}
	for i := range d.Products {
		for _, f := range d.Products[i].Features {
			g.feature(len(d.Customers)+i, f.kind, f.Value)
		}
	}
	return g
}

func (g *graph) feature(of int, kind uint64, text string) {
	if text == "" {
		return
	}
	node, ok := g.values[value{kind, text}]
	if !ok {
		node = int32(len(g.colours))
		g.values[value{kind, text}] = node
		g.colours = append(g.colours, kind)
	}
	g.features = append(g.features, feature{int32(of), node, kind})
}

// edges calls edge for each rating, each piece of feedback and each feature.
func (g *graph) edges(edge func(a, b int32, label uint64)) {
	products := int32(len(g.data.Customers))
	for _, r := range g.data.Ratings {
		edge(r.Customer, products+r.Product, evaluation.Mix(uint64(r.RatedAt)+1)+uint64(r.Stars))
	}
	for _, f := range g.data.Feedback {
		action := uint64(0)
		for _, b := range []byte(f.Action) {
			action = action<<8 | uint64(b)
		}
		edge(f.Customer, products+f.Product, evaluation.Mix(evaluation.Mix(uint64(f.At)+2)^action))
	}
	for _, f := range g.features {
		edge(f.of, f.value, f.kind)
	}
}

// ordered puts users and items into canonical order, so that the table does not depend on how a file
// numbers them. All parts have the same users and items.
func ordered(parts ...*evaluation.Pairs) []*evaluation.Pairs {
	users, items := len(parts[0].Of), parts[0].Products
	g := &canonical.Graph{Colours: make([]uint64, users+items), Edges: func(edge func(a, b int32, label uint64)) {
		for label, p := range parts {
			for user, own := range p.Of {
				for _, item := range own {
					edge(int32(user), int32(users)+item, uint64(label))
				}
			}
		}
	}}
	for node := range g.Colours {
		g.Colours[node] = nodeProduct
		if node < users {
			g.Colours[node] = nodeCustomer
		}
	}
	var order []int32 // of users
	rank := make([]int32, items)
	next := int32(0)
	for _, node := range canonical.Order(g) {
		if int(node) < users {
			order = append(order, node)
			continue
		}
		rank[int(node)-users] = next
		next++
	}
	all := make([]*evaluation.Pairs, len(parts))
	for i, p := range parts {
		all[i] = &evaluation.Pairs{Products: items, Of: make([][]int32, users)}
		for place, user := range order {
			own := make([]int32, len(p.Of[user]))
			for j, item := range p.Of[user] {
				own[j] = rank[item]
			}
			slices.Sort(own)
			all[i].Of[place] = own
		}
	}
	return all
}
