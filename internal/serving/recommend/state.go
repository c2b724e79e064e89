package recommend

import (
	"cmp"
	"slices"
	"strings"

	"kindred/internal/stream/activity"
)

// State is what events say, beside the model versions. A store writes it together or not at all.
type State struct {
	Purchases []Purchase
	Products  []activity.ProductWrite
	Customers []activity.CustomerWrite
	Visits    []activity.Visit
}

// Empty says that there is nothing to write.
func (s *State) Empty() bool {
	return len(s.Purchases)+len(s.Products)+len(s.Customers)+len(s.Visits) == 0
}

// Add appends what the event says.
func (s *State) Add(e *activity.Event) {
	switch {
	case e.Product != nil:
		s.Products = append(s.Products, *e.Product)
	case e.Customer != nil:
		s.Customers = append(s.Customers, *e.Customer)
	default:
		s.Purchases = Purchases(s.Purchases, e)
	}
	if e.Visit != nil {
		s.Visits = append(s.Visits, *e.Visit)
	}
}

// Check refuses, with a *RefusedError, text that PostgreSQL refuses.
func (s *State) Check() error {
	var texts []string
	for _, p := range s.Purchases {
		texts = append(texts, p.Customer, p.Session, p.Product)
	}
	for _, w := range s.Products {
		texts = append(texts, w.ID)
	}
	for _, row := range CustomerRows(s.Customers) {
		text, _ := row.Value.(string)
		texts = append(texts, row.Customer, row.Product, text)
	}
	for _, v := range s.Visits {
		texts = append(texts, v.EventID, v.Session, v.Customer)
		for _, c := range v.Clicks {
			texts = append(texts, c.Product)
		}
	}
	return CheckText(texts...)
}

// Customer fields that are kept beside those of activity.CustomerField.
const (
	FieldHidden    = "hidden"    // bool, of one product
	FieldForgotten = "forgotten" // nil: what the customer said and did before is forgotten
)

// CustomerRow is one thing that is said of a customer, as stores keep it: of two with the same key, the
// later one.
type CustomerRow struct {
	CustomerKey

	Value any
	Order activity.Order
}

// CustomerKey is what a customer's row is about.
type CustomerKey struct{ Customer, Field, Product string }

// CustomerRows are the rows of writes, in the order of their keys: of each key the latest.
func CustomerRows(writes []activity.CustomerWrite) []CustomerRow {
	rows := map[CustomerKey]CustomerRow{}
	add := func(w activity.CustomerWrite, field, product string, value any) {
		row := CustomerRow{CustomerKey{w.ID, field, product}, value, w.Order}
		if before, known := rows[row.CustomerKey]; !known || row.Order.After(before.Order) {
			rows[row.CustomerKey] = row
		}
	}
	for _, w := range writes {
		for f, value := range w.Values {
			add(w, string(f), "", value)
		}
		for product, hidden := range w.Hidden {
			add(w, FieldHidden, product, hidden)
		}
		if w.Forget {
			add(w, FieldForgotten, "", nil)
		}
	}
	all := make([]CustomerRow, 0, len(rows))
	for _, row := range rows {
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b CustomerRow) int {
		return cmp.Or(strings.Compare(a.Customer, b.Customer), strings.Compare(a.Field, b.Field),
			strings.Compare(a.Product, b.Product))
	})
	return all
}

// Said is what is known of a customer from events, beside what the customer bought.
type Said struct {
	Country, City string
	CreditLimit   *float64
	Hidden        []string // products that are left out of the customer's answers
}

// Add adds what a row says.
func (s *Said) Add(field, product string, value any) {
	switch field {
	case string(activity.CustomerCountry):
		s.Country, _ = value.(string)
	case string(activity.CustomerCity):
		s.City, _ = value.(string)
	case string(activity.CustomerCreditLimit):
		if limit, known := value.(float64); known {
			s.CreditLimit = &limit
		}
	case FieldHidden:
		if value == true {
			s.Hidden = append(s.Hidden, product)
		}
	}
}

// features makes a vector from what the event says of its visitor, and where it says nothing, from what
// is known of the customer.
func features(m *Model, e *activity.Event, s Said) []float32 {
	credit := e.CreditLimit
	if credit == nil {
		credit = s.CreditLimit
	}
	return m.Encoder.Vector(m.Encoder.Features(cmp.Or(e.Country, s.Country), cmp.Or(e.City, s.City), credit))
}
