package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Store is the recommender's store, of versions in memory. It is safe for concurrent use.
type Store struct {
	mu        sync.Mutex
	live      *Version
	canary    *Version // nil: none
	share     float64
	faults    []time.Time                          // of the canary, of late
	state     map[string]bool                      // whether a product can be bought, by code; it never changes
	bought    map[string][]recommend.Purchase      // by customer
	said      map[string]map[activity.Field]saidOf // of products, by code
	firstSeen map[string]time.Time                 // of these, the time of the earliest write
}

// NewStore returns a store in which v is live.
func NewStore(v *Version) *Store {
	return &Store{live: v, bought: map[string][]recommend.Purchase{},
		said: map[string]map[activity.Field]saidOf{}, firstSeen: map[string]time.Time{}}
}

// Promote makes v live.
func (s *Store) Promote(v *Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = v
}

// SetCanary lets v answer for a share of the sessions; nil ends that.
func (s *Store) SetCanary(v *Version, share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary, s.share, s.faults = v, share, nil
}

// SetState says which products can be bought, and which cannot, whatever a version says. It takes the
// place of what was said before.
func (s *Store) SetState(available map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = maps.Clone(available)
}

// WriteState adds what customers bought, the earlier one of two that are of one session and product, and
// what is said of products: of each field the later value counts.
func (s *Store) WriteState(ctx context.Context, purchases []recommend.Purchase,
	products []activity.ProductWrite) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range purchases {
		if err := recommend.CheckText(p.Customer, p.Session, p.Product); err != nil {
			return err
		}
	}
	for _, w := range products {
		if err := recommend.CheckText(w.ID); err != nil {
			return err
		}
	}
	s.say(products)
	for _, p := range purchases {
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
	return ctx.Err()
}

// say keeps of each field the value that comes last, and renews the state.
func (s *Store) say(products []activity.ProductWrite) {
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

// CanaryFailed records a fault of the canary. After recommend.CanaryErrors of them within
// recommend.CanaryPeriod there is no canary any more.
func (s *Store) CanaryFailed(ctx context.Context, version string, _ error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.canary == nil || s.canary.Model.Version != version {
		return ctx.Err()
	}
	now := time.Now()
	for len(s.faults) > 0 && now.Sub(s.faults[0]) > recommend.CanaryPeriod {
		s.faults = s.faults[1:]
	}
	if s.faults = append(s.faults, now); len(s.faults) >= recommend.CanaryErrors {
		s.canary, s.faults = nil, nil
	}
	return ctx.Err()
}

// version finds the version of m, which is the live one when it is no longer known.
func (s *Store) version(m *recommend.Model) *Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.canary != nil && s.canary.Model.Version == m.Version {
		return s.canary
	}
	return s.live
}

// Traffic returns the versions that answer.
func (s *Store) Traffic(ctx context.Context) (recommend.Traffic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := recommend.Traffic{Live: s.live.Model}
	if s.canary != nil {
		t.Canary, t.Share = s.canary.Model, s.share
	}
	return t, ctx.Err()
}

// Lookup finds products and customers. Like PostgreSQL it refuses a code that is no text of a
// database.
func (s *Store) Lookup(ctx context.Context, m *recommend.Model, codes []string,
	customers []string) (recommend.Lookup, error) {
	if err := recommend.CheckText(append(slices.Clone(codes), customers...)...); err != nil {
		return recommend.Lookup{}, err
	}
	v := s.version(m)
	found := v.Lookup(codes, customers)
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[string]bool{}
	for _, it := range s.newItems(v) {
		fresh[it.Code] = true
		if slices.Contains(codes, it.Code) {
			found.Items[it.Code] = recommend.Item{Vector: it.Vector}
		}
	}
	for _, c := range customers {
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
	return found, ctx.Err()
}

// Retrieve answers every question by an exact scan.
func (s *Store) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	v := s.version(m)
	s.mu.Lock()
	state, fresh := s.state, s.newItems(v)
	s.mu.Unlock()
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i, q := range searches {
		if err := q.Check(v.Model.Solver.Dim); err != nil {
			return nil, nil, err
		}
		if err := recommend.CheckText(q.Exclude...); err != nil {
			return nil, nil, err
		}
		candidates[i] = append(v.search(q, state), searchNew(fresh, q)...)
	}
	for i, q := range neighbours {
		if err := q.Check(); err != nil {
			return nil, nil, err
		}
		if err := recommend.CheckText(q.Code); err != nil {
			return nil, nil, err
		}
		similar[i] = v.nearest(q, state, fresh)
	}
	return candidates, similar, ctx.Err()
}
