package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// Store is the recommender's store, of versions in memory. It is safe for concurrent use.
type Store struct {
	mu        sync.Mutex
	live      *Version
	canary    *Version // nil: none
	share     float64
	faults    []time.Time                                     // of the canary, of late
	state     map[string]bool                                 // whether a product can be bought, by code; it never changes
	bought    map[string][]recommend.Purchase                 // by customer
	said      map[string]map[activity.Field]saidOf            // of products, by code
	firstSeen map[string]time.Time                            // of these, the time of the earliest write
	customers map[recommend.CustomerKey]recommend.CustomerRow // what is said of customers
	visits    map[[2]string]activity.Visit                    // by session and event
	running   *recommend.Experiment                           // nil: none
	placed    *recommend.Placements                           // nil: none
	arms      map[[2]string]recommend.Arm                     // by experiment and visitor
	clicks    map[recommend.Counted]int                       // how often each was in its event, when it came first
	counted   map[[16]byte]bool                               // the events of clicks
}

// NewStore returns a store in which v is live.
func NewStore(v *Version) *Store {
	return &Store{live: v, bought: map[string][]recommend.Purchase{},
		said: map[string]map[activity.Field]saidOf{}, firstSeen: map[string]time.Time{},
		customers: map[recommend.CustomerKey]recommend.CustomerRow{}, visits: map[[2]string]activity.Visit{},
		arms:   map[[2]string]recommend.Arm{},
		clicks: map[recommend.Counted]int{}, counted: map[[16]byte]bool{}}
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
	s.canary, s.share, s.faults, s.running = v, share, nil, nil
}

// StartExperiment compares the live version with v, as the treatment.
func (s *Store) StartExperiment(x recommend.Experiment, v *Version) {
	s.SetCanary(v, x.Share)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = &x
}

// ComparePlacements starts an experiment of placements.
func (s *Store) ComparePlacements(x recommend.Experiment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = &x
}

// SetPlacements makes placements live; nil ends that.
func (s *Store) SetPlacements(p *recommend.Placements) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = p
}

// SetState says which products can be bought, and which cannot, whatever a version says. It takes the
// place of what was said before.
func (s *Store) SetState(available map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = maps.Clone(available)
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
		s.canary, s.faults, s.running = nil, nil, nil
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
	t := recommend.Traffic{Live: s.live.Model, Experiment: s.running, Placements: s.placed}
	if s.canary != nil {
		t.Canary, t.Share = s.canary.Model, s.share
	}
	return t, ctx.Err()
}

// Arms are the arms that are kept of visitors.
func (s *Store) Arms(ctx context.Context, experiment string, visitors []string) (map[string]recommend.Arm, error) {
	if err := recommend.CheckText(visitors...); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]recommend.Arm{}
	for _, visitor := range visitors {
		if arm, ok := s.arms[[2]string{experiment, visitor}]; ok {
			found[visitor] = arm
		}
	}
	return found, ctx.Err()
}

// KeepArms keeps the arms of visitors who have none yet, while the experiment runs.
func (s *Store) KeepArms(ctx context.Context, experiment string,
	arms map[string]recommend.Arm) (map[string]recommend.Arm, error) {
	visitors := slices.Collect(maps.Keys(arms))
	if err := recommend.CheckText(visitors...); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.running == nil || s.running.Name != experiment {
		s.mu.Unlock()
		return nil, ctx.Err()
	}
	for visitor, arm := range arms {
		key := [2]string{experiment, visitor}
		if _, ok := s.arms[key]; !ok {
			s.arms[key] = arm
		}
	}
	s.mu.Unlock()
	return s.Arms(ctx, experiment, visitors)
}

// Lookup finds products and customers. Like PostgreSQL it refuses a code that is no text of a
// database.
func (s *Store) Lookup(ctx context.Context, m *recommend.Model, codes []string,
	customers, sessions []string, until activity.Order) (recommend.Lookup, error) {
	if err := recommend.CheckText(slices.Concat(codes, customers, sessions)...); err != nil {
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
			found.Items[it.Code] = recommend.Item{Number: recommend.NoItem, Vector: it.Vector}
		}
	}
	s.lookUpState(v, fresh, customers, &found)
	s.lookUpVisits(customers, sessions, until, &found)
	return found, ctx.Err()
}

// Retrieve answers every question by an exact scan.
func (s *Store) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	v := s.version(m)
	s.mu.Lock()
	fresh := s.newItems(v)
	said := said{s.state, func(code string) *rule.Product {
		s.mu.Lock()
		defer s.mu.Unlock()
		item := &v.version.Items[v.items[code]]
		return s.ruleFacts(code, item, shown(*item, s.state))
	}}
	s.mu.Unlock()
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i, q := range searches {
		if err := q.Check(v.Model.Solver.Dim); err != nil {
			return nil, nil, err
		}
		if err := recommend.CheckText(q.Exclude...); err != nil {
			return nil, nil, err
		}
		candidates[i] = append(v.search(q, said), searchNew(fresh, q)...)
	}
	for i, q := range neighbours {
		if err := q.Check(); err != nil {
			return nil, nil, err
		}
		if err := recommend.CheckText(q.Code); err != nil {
			return nil, nil, err
		}
		similar[i] = v.nearest(q, said, fresh)
	}
	return candidates, similar, ctx.Err()
}
