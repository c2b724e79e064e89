package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"kindred/internal/lake/trainingset"
	"kindred/internal/model/evaluation"
	"kindred/internal/shop"
)

// fromHistory takes a training set of interactions. A guest is a row for each session without a
// customer. What people did becomes ratings and feedback as signal says.
func fromHistory(h *trainingset.History, signal Signal) *Data {
	d := &Data{Counted: true, Customers: historyCustomers(h), Products: historyProducts(h)}
	customers := int32(len(d.Customers))
	guests := map[int32]int32{} // by session
	steps := make([]step, 0, len(h.Entries))
	for i := range h.Entries {
		e := &h.Entries[i]
		row := e.Customer
		if row == trainingset.None {
			guest, known := guests[e.Session]
			if !known {
				guest = customers + int32(len(guests))
				guests[e.Session] = guest
				d.Customers = append(d.Customers, Customer{Guest: true, colour: nodeGuest})
			}
			row = guest
		}
		steps = append(steps, step{row: row, product: e.Product, order: e.Order, at: e.At, kind: e.Kind, value: e.Value,
			quantity: e.Quantity})
	}
	signal.learn(d, steps, h.Kinds)
	return d
}

// step is an entry of whom it is.
type step struct {
	at                  int64 // milliseconds, or trainingset.NoTime
	row, product, order int32
	value, quantity     float32
	kind                uint8
}

func (s step) seconds() int64 {
	if s.at == trainingset.NoTime {
		return 0
	}
	return s.at / 1000
}

// oneTimeAnOrder gives all lines of an order the time of its first one: an order is one basket.
func oneTimeAnOrder(steps []step) {
	type key struct{ row, order int32 }
	first := map[key]int64{}
	for _, s := range steps {
		if s.order == trainingset.None || s.at == trainingset.NoTime {
			continue
		}
		k := key{s.row, s.order}
		if at, known := first[k]; !known || s.at < at {
			first[k] = s.at
		}
	}
	for i := range steps {
		if at, known := first[key{steps[i].row, steps[i].order}]; known && steps[i].order != trainingset.None {
			steps[i].at = at
		}
	}
}

// purchases are the times of the purchases of one product by one person that were not taken back,
// in seconds and in order. A negative quantity, or a negative value, takes back: of the same order
// first, then of the latest purchases before it. What it takes back beyond that is nothing.
func purchases(steps []step) (times []int64) {
	type bought struct {
		at       int64
		order    int32
		quantity float64
	}
	var all []bought
	var back []step
	for _, s := range steps { // in order of time
		n := float64(s.quantity)
		if n != n {
			n = 1
		}
		if n < 0 || s.value < 0 {
			s.quantity = float32(math.Abs(n))
			back = append(back, s)
			continue
		}
		if i := slices.IndexFunc(all, func(b bought) bool {
			return s.order != trainingset.None && b.order == s.order
		}); i >= 0 {
			all[i].quantity += n // two lines of an order are one purchase
			continue
		}
		all = append(all, bought{s.seconds(), s.order, n})
	}
	for _, s := range back {
		rest := float64(s.quantity)
		take := func(b *bought) {
			n := min(rest, b.quantity)
			rest, b.quantity = rest-n, b.quantity-n
		}
		for i := range all {
			if s.order != trainingset.None && all[i].order == s.order {
				take(&all[i])
			}
		}
		for i := len(all) - 1; i >= 0 && rest > 0; i-- {
			if s.at == trainingset.NoTime || all[i].at <= s.seconds() {
				take(&all[i])
			}
		}
	}
	const nothing = 1e-6
	for _, b := range all {
		if b.quantity > nothing {
			times = append(times, b.at)
		}
	}
	slices.Sort(times)
	return times
}

// byPair sorts steps by person and product, then by time.
func byPair(steps []step) {
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.product, b.product), cmp.Compare(a.at, b.at),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.value, b.value), cmp.Compare(a.quantity, b.quantity))
	})
}

// fewestSharing is how many products a value must have on average: an attribute with more different
// values than that says nothing that products share.
const fewestSharing = 2

func historyCustomers(h *trainingset.History) []Customer {
	all := make([]Customer, len(h.Customers))
	sets := make([][]shop.Attribute, len(all))
	for i, c := range h.Customers {
		all[i] = Customer{ID: c.ID, Country: c.Country, City: c.City, colour: nodeCustomer}
		sets[i] = c.Attributes
	}
	useful := newColumns(sets)
	for i := range all {
		c := &all[i]
		useful.fill(sets[i], &c.Features, &c.Numbers, &c.colour)
	}
	return all
}

func historyProducts(h *trainingset.History) []Product {
	all := make([]Product, len(h.Products))
	sets := make([][]shop.Attribute, len(all))
	for i, p := range h.Products {
		row := Product{ID: p.ID, Name: p.Name, Categories: p.Categories, Stock: stockOf(p), colour: nodeProduct}
		for _, c := range p.Categories {
			row.Features = append(row.Features, Feature{"category", c, nodeCategory})
		}
		if len(p.Categories) > 0 {
			row.Line = p.Categories[0]
		}
		if p.Brand != "" {
			row.Features = append(row.Features, Feature{"brand", p.Brand, nodeBrand})
		}
		if p.Price != nil {
			row.Numbers = []Number{{"price", float64(*p.Price) / shop.MoneyScale}}
			row.colour ^= evaluation.Mix(uint64(*p.Price) + nodeProduct)
		}
		all[i], sets[i] = row, p.Attributes
	}
	useful := newColumns(sets)
	for i := range all {
		p := &all[i]
		useful.fill(sets[i], &p.Features, &p.Numbers, &p.colour)
	}
	return all
}

// stockOf is 0 for what cannot be bought, else what is known to be there, at least 1.
func stockOf(p shop.Listing) int16 {
	switch {
	case !p.Available:
		return 0
	case p.Stock == nil:
		return 1
	}
	return int16(min(max(*p.Stock, 1), math.MaxInt16))
}

// columns are the attributes that say something: those whose values rows share.
type columns map[string]uint64 // its kind by its name

func newColumns(sets [][]shop.Attribute) columns {
	type use struct {
		rows   int
		values map[string]bool
	}
	uses := map[string]*use{}
	for _, set := range sets {
		for _, a := range set {
			u := uses[a.Name]
			if u == nil {
				u = &use{values: map[string]bool{}}
				uses[a.Name] = u
			}
			u.rows++
			switch {
			case a.Text != nil:
				u.values[*a.Text] = true
			case a.Flag != nil:
				u.values[fmt.Sprint(*a.Flag)] = true
			}
		}
	}
	var names []string
	for name, u := range uses {
		if len(u.values)*fewestSharing <= u.rows {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	useful := columns{}
	for i, name := range names {
		useful[name] = nodeAttribute + uint64(i)
	}
	return useful
}

// fill adds a row's attributes to its features, numbers and colour.
func (c columns) fill(set []shop.Attribute, features *[]Feature, numbers *[]Number, colour *uint64) {
	for _, a := range set {
		kind, ok := c[a.Name]
		name := "attribute " + a.Name
		switch {
		case !ok:
		case a.Text != nil:
			*features = append(*features, Feature{name, *a.Text, kind})
		case a.Flag != nil:
			*features = append(*features, Feature{name, fmt.Sprint(*a.Flag), kind})
		case a.Number != nil:
			*numbers = append(*numbers, Number{name, *a.Number})
			*colour ^= evaluation.Mix(math.Float64bits(*a.Number) + evaluation.Mix(kind))
		}
	}
}
