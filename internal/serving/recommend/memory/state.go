package memory

import (
	"context"
	"maps"
	"slices"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// WriteState adds what events say: the earlier one of two purchases that are of one session and product,
// and of each field of a product or a customer the later value.
func (s *Store) WriteState(ctx context.Context, state recommend.State) error {
	if err := state.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sayProducts(state.Products)
	s.sayCustomers(state.Customers)
	for _, p := range state.Purchases {
		if s.forgot(p.Customer, p.When()) {
			continue
		}
		of := s.bought[p.Customer]
		i := slices.IndexFunc(of, func(q recommend.Purchase) bool { return q.Session == p.Session && q.Product == p.Product })
		switch {
		case i < 0:
			of = append(of, p)
		case of[i].Order.After(p.Order):
			of[i] = p
		}
		s.bought[p.Customer] = of
	}
	for _, v := range state.Visits {
		key := [2]string{v.Session, v.EventID}
		if before, known := s.visits[key]; !s.forgot(v.Customer, v.Order) && (!known || before.Place.After(v.Place)) {
			s.visits[key] = v
		}
	}
	return ctx.Err()
}

// sayCustomers keeps of each thing that is said the value that comes last, and nothing that was forgotten.
func (s *Store) sayCustomers(writes []activity.CustomerWrite) {
	for _, row := range recommend.CustomerRows(writes) {
		if before, known := s.customers[row.CustomerKey]; !known || row.Order.After(before.Order) {
			s.customers[row.CustomerKey] = row
		}
	}
	maps.DeleteFunc(s.customers, func(key recommend.CustomerKey, row recommend.CustomerRow) bool {
		return s.forgot(key.Customer, row.Order)
	})
	for customer, of := range s.bought {
		s.bought[customer] = slices.DeleteFunc(of, func(p recommend.Purchase) bool { return s.forgot(customer, p.When()) })
	}
	maps.DeleteFunc(s.visits, func(_ [2]string, v activity.Visit) bool { return s.forgot(v.Customer, v.Order) })
}

// sayProducts keeps of each field the value that comes last, and renews the state.
func (s *Store) sayProducts(products []activity.ProductWrite) {
	state := maps.Clone(s.state)
	if state == nil {
		state = map[string]bool{}
	}
	for _, w := range products {
		said := s.said[w.ID]
		if said == nil {
			said = map[activity.Field]saidOf{}
			s.said[w.ID] = said
		}
		if first, known := s.firstSeen[w.ID]; !known || w.Order.At.Before(first) {
			s.firstSeen[w.ID] = w.Order.At
		}
		for f, value := range w.Values {
			if before, known := said[f]; !known || w.Order.After(before.order) {
				said[f] = saidOf{value, w.Order}
			}
		}
		delete(state, w.ID)
		available, known := said[activity.FieldAvailable].value.(bool)
		if hidden := said[activity.FieldHidden].value == true; known || hidden {
			state[w.ID] = available && !hidden
		}
	}
	s.state = state
}

// saidOf is a value of a field, with its order.
type saidOf struct {
	value any
	order activity.Order
}

// said is what was said of products: whether they can be bought, and the facts that rules see.
type said struct {
	state map[string]bool
	facts func(code string) *rule.Product
}

// ruleFacts are what rules see of a product that can be bought, or cannot; nil: the version does not have it. The
// caller holds the lock.
func (s *Store) ruleFacts(code string, it *modelversion.Item, available bool) *rule.Product {
	values := map[activity.Field]any{}
	if it != nil {
		values = ofVersion(it)
	}
	for f, of := range s.said[code] {
		if of.value != nil {
			values[f] = of.value
		}
	}
	return recommend.FactsOf(code, values, available, s.firstSeen[code])
}

// ofVersion are the facts that a version knows of a product, but for whether it can be bought: its line is its
// category.
func ofVersion(it *modelversion.Item) map[activity.Field]any {
	values := map[activity.Field]any{activity.FieldName: it.Name}
	if it.Line != "" {
		values[activity.FieldCategories] = []string{it.Line}
	}
	return values
}

// lookUpState adds what events say of the customers, of what they bought also fresh products.
func (s *Store) lookUpState(v *Version, fresh map[string]bool, customers []string, found *recommend.Lookup) {
	asked := map[string]bool{}
	for _, c := range customers {
		if asked[c] {
			continue
		}
		asked[c] = true
		for _, p := range s.bought[c] {
			b := recommend.Bought{Product: p.Product, Order: p.Order}
			i, known := v.items[p.Product]
			if known {
				b.Repeat = v.version.Items[i].Repeat
			}
			if known || fresh[p.Product] {
				found.Bought[c] = append(found.Bought[c], b)
			}
		}
	}
	for key, row := range s.customers {
		if asked[key.Customer] && row.Value != nil {
			said := found.Said[key.Customer]
			said.Add(key.Field, key.Product, row.Value)
			found.Said[key.Customer] = said
		}
	}
}

// forgot says whether something of the customer is older than what was forgotten.
func (s *Store) forgot(customer string, order activity.Order) bool {
	row, known := s.customers[recommend.CustomerKey{Customer: customer, Field: recommend.FieldForgotten}]
	return known && row.Order.After(order)
}

// lookUpVisits adds what is kept of the sessions and the customers, up to a place.
func (s *Store) lookUpVisits(customers, sessions []string, until activity.Order, found *recommend.Lookup) {
	ofSessions, ofCustomers := map[string][]activity.Visit{}, map[string][]activity.Visit{}
	found.Kept = recommend.Kept{Sessions: ofSessions, Customers: ofCustomers}
	first := map[string]activity.Visit{} // of a session, the first event that names a customer
	var nobodys []activity.Visit
	for _, v := range s.visits {
		if until != (activity.Order{}) && v.Place.After(until) {
			continue
		}
		if slices.Contains(sessions, v.Session) {
			ofSessions[v.Session] = append(ofSessions[v.Session], v)
		}
		if v.Customer == "" {
			nobodys = append(nobodys, v)
			continue
		}
		if before, known := first[v.Session]; v.Session != "" && (!known || before.Place.After(v.Place)) {
			first[v.Session] = v
		}
		if slices.Contains(customers, v.Customer) {
			ofCustomers[v.Customer] = append(ofCustomers[v.Customer], v)
		}
	}
	for customer, visits := range ofCustomers {
		visits = recommend.Newest(visits)
		named := map[string]bool{}
		for _, v := range visits {
			named[v.Session] = true
		}
		for _, v := range nobodys {
			if of := first[v.Session]; of.Customer == customer && named[v.Session] {
				if of.Place.After(v.Place) {
					v.Place = of.Place
				}
				visits = append(visits, v)
			}
		}
		ofCustomers[customer] = recommend.Newest(visits)
	}
	for session, visits := range ofSessions {
		ofSessions[session] = recommend.Newest(visits)
	}
}
