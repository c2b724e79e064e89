// Package inmemory keeps the products of the versions that answer in the memory of the process, and
// answers from there; customers and the state of products stay in the vector database. It owns the
// choice between memory and database, the loading of a version's files, and the memory that they may
// take. What it does not have in memory, or not yet, the vector database answers as ever. It decides
// nothing of what is recommended (package recommend), and compares no vectors (package scan).
package inmemory

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/scan"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// database is the vector database. Package vectorstore documents the methods.
type database interface {
	Traffic(ctx context.Context) (recommend.Traffic, error)
	TrafficSince(ctx context.Context, since vectorstore.Since, versions []string) (recommend.Traffic,
		vectorstore.Changes, error)
	State(ctx context.Context, since vectorstore.Since, versions []string) (vectorstore.Changes, error)
	Lookup(ctx context.Context, m *recommend.Model, codes, customers, sessions []string,
		until activity.Order) (recommend.Lookup, error)
	Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
		neighbours []recommend.Neighbours) ([][]recommend.Candidate, [][]recommend.Similar, error)
	Rated(ctx context.Context, m *recommend.Model, customers []string) (map[string][]vectorstore.Rated, error)
	Stated(ctx context.Context, version, after string, most int) ([]vectorstore.Stated, error)
	Numbered(ctx context.Context, version string) (products int, numbered bool, err error)
	Facts(ctx context.Context, m *recommend.Model, codes []string) (map[string]recommend.Facts, error)
	List(ctx context.Context, m *recommend.Model, q recommend.ListQuery) ([]recommend.Listed, error)
	CanaryFailed(ctx context.Context, version string, fault error) error
	Arms(ctx context.Context, experiment string, visitors []string) (map[string]recommend.Arm, error)
	KeepArms(ctx context.Context, experiment string, arms map[string]recommend.Arm) (map[string]recommend.Arm, error)
}

var _ database = (*vectorstore.Store)(nil)

// files are those of model versions. A read may return fewer bytes only at the end of a file.
type files interface {
	ReadRange(ctx context.Context, key string, from, n int64) ([]byte, error)
}

// trafficTime bounds a question that several callers wait for, none of whom may end it.
const trafficTime = 5 * time.Second

// Store is the store that package recommend answers from. It is safe for concurrent use. Somebody must
// call Step or Run, or nothing comes into memory.
type Store struct {
	database database
	loader   *loader
	wake     chan struct{} // asks Run to look again

	reading sync.Mutex // is held while the state is read: readings are noted in their order

	mu      sync.Mutex
	held    map[string]*held   // the versions in memory; an entry is replaced, never changed
	wanted  []*recommend.Model // the versions that answer: live, canary
	refused map[string]bool    // of these, the ones that do not fit
	next    *turn              // the question that callers wait for which come now; nil: none
	holding bool               // a version waits for its state to be in memory; readings wait for it
	heldAt  time.Time          // when that ended last: a reading that has waited begins then
	lost    bool               // what was held was let go, because its state could not be read
	stale   stale
	since   vectorstore.Since // how far the state of products was read, while anything is held

	rules        bool // somebody asked with rules: the facts of products are wanted
	factsRefused bool // they do not fit
}

// held is a version in memory.
type held struct {
	index *scan.Index
	shown []bool // which products can be bought
	fresh *scan.NewItems
	bytes int64 // of index

	filled filled // with the facts of products
}

// New makes a store that holds versions of up to budget bytes in all.
func New(db *vectorstore.Store, from files, budget int64, log *slog.Logger) *Store {
	return newStore(db, from, budget, log, time.Now)
}

func newStore(db database, from files, budget int64, log *slog.Logger, now func() time.Time) *Store {
	return &Store{database: db, wake: make(chan struct{}, 1), held: map[string]*held{}, refused: map[string]bool{},
		loader: newLoader(db, from, budget, log, now)}
}

// turn is one reading of traffic and state, for everybody who asks before it begins.
type turn struct {
	done    chan struct{}
	began   time.Time // the store's mutex guards it; zero: it has not
	traffic recommend.Traffic
	err     error
}

// Traffic returns the versions that answer. While anything is held, it also reads what has changed in
// the state of products; if that fails while the rest can be read, nothing is held any more, and the
// database answers. Callers that come together share a question. With AnswerStale, the last reading
// answers while the database is down.
func (s *Store) Traffic(ctx context.Context) (recommend.Traffic, error) {
	s.mu.Lock()
	if len(s.held) == 0 {
		s.mu.Unlock()
		traffic, err := s.database.Traffic(ctx)
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.note(traffic)
		}
		return traffic, err
	}
	hasOld := s.hasOld()
	down, t := s.stale.down && hasOld, s.next
	if t == nil && (!down || s.loader.now().Sub(s.stale.probed) >= probePause) {
		t = &turn{done: make(chan struct{})}
		s.next, s.stale.probed = t, s.loader.now()
		go s.read(context.WithoutCancel(ctx), t)
	}
	if down {
		defer s.mu.Unlock()
		return s.old(), nil
	}
	s.mu.Unlock()
	var late <-chan time.Time
	if hasOld {
		late = time.After(staleWait)
	}
	for {
		select {
		case <-t.done:
			if t.err != nil {
				return s.instead(ctx, t.err)
			}
			return t.traffic, nil
		case <-late:
			left := s.left(t)
			if left <= 0 {
				return s.instead(ctx, errLate)
			}
			late = time.After(left)
		case <-ctx.Done():
			return recommend.Traffic{}, ctx.Err()
		}
	}
}

var errLate = errors.New("it does not answer in time")

// read takes a turn when the one before has ended.
func (s *Store) read(ctx context.Context, t *turn) {
	defer close(t.done)
	s.reading.Lock()
	defer s.reading.Unlock()
	s.mu.Lock()
	s.next, t.began = nil, time.Now() // who comes from now on asks again
	s.mu.Unlock()
	var fault error
	for again := true; again; {
		again, fault = s.readOnce(ctx, t, fault)
	}
}

// readOnce reads the state of the versions in memory. If it cannot, and the database answers, it is to be tried
// again: an outage may have ended meanwhile, or the tables of a version that answers no longer may be gone. The
// versions are let go if it fails twice; before is the fault of the first time.
func (s *Store) readOnce(ctx context.Context, t *turn, before error) (again bool, fault error) {
	s.mu.Lock()
	since, versions := s.since, slices.Sorted(maps.Keys(s.held))
	for _, h := range s.held {
		since.Facts = since.Facts || h.filled.facts != nil
	}
	s.mu.Unlock()
	if len(versions) > 0 {
		var changes vectorstore.Changes
		if t.traffic, changes, fault = s.trafficSince(ctx, since, versions); fault == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.apply(changes)
			s.note(t.traffic)
			s.remember(t.traffic)
			return false, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, trafficTime) // afresh: the state may have taken all of its time
	defer cancel()
	t.traffic, t.err = s.database.Traffic(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.err != nil { // the database does not answer at all: the memory is not to blame
		if !outage(t.err) {
			s.stale.traffic = recommend.Traffic{}
			s.answered()
		}
		return false, fault
	}
	s.answered()
	s.note(t.traffic)
	switch {
	case fault == nil || len(s.held) == 0:
		return false, nil
	case before == nil || len(s.held) < len(versions):
		return true, fault
	}
	s.letGo(ctx, fault)
	return false, fault
}

func (s *Store) trafficSince(ctx context.Context, since vectorstore.Since, versions []string) (recommend.Traffic,
	vectorstore.Changes, error,
) {
	ctx, cancel := context.WithTimeout(ctx, trafficTime)
	defer cancel()
	return s.database.TrafficSince(ctx, since, versions)
}

// letGo forgets all versions, because the state of their products cannot be read. Step loads them again
// after a pause.
func (s *Store) letGo(ctx context.Context, fault error) {
	clear(s.held)
	s.since = vectorstore.Since{}
	s.lost = true
	s.loader.log.LogAttrs(ctx, slog.LevelWarn, "the memory is let go: the vector database answers",
		slog.String(logkey.Error, fault.Error()))
}

// note remembers which versions answer, and lets go of the others.
func (s *Store) note(traffic recommend.Traffic) {
	wanted := []*recommend.Model{traffic.Live}
	if traffic.Canary != nil && traffic.CanaryFault == nil {
		wanted = append(wanted, traffic.Canary)
	}
	if !slices.EqualFunc(wanted, s.wanted, func(a, b *recommend.Model) bool { return a.Version == b.Version }) {
		clear(s.refused)
		s.factsRefused = false
	}
	s.wanted = wanted
	maps.DeleteFunc(s.held, func(version string, _ *held) bool {
		return !slices.ContainsFunc(s.wanted, func(m *recommend.Model) bool { return m.Version == version })
	})
	if len(s.held) == 0 {
		s.since = vectorstore.Since{}
	}
}

// apply brings what is known of the products up to date. It keeps nothing of products that no version in
// memory knows.
func (s *Store) apply(c vectorstore.Changes) {
	if len(s.held) == 0 { // nothing is known any more
		return
	}
	s.since = c.Next
	if len(c.Shown) == 0 && len(c.New) == 0 && !c.Whole {
		return
	}
	for version, h := range s.held {
		changed := &held{index: h.index, bytes: h.bytes}
		if c.Whole { // the facts are read anew
			changed.shown = h.index.Shown(nil)
		} else {
			changed.shown, changed.fresh, changed.filled = slices.Clone(h.shown), h.fresh, h.filled
		}
		if changed.filled.facts != nil {
			setFacts(changed, c.Facts[version])
		}
		if len(c.New[version]) > 0 || changed.fresh.Has(c.Shown) {
			changed.fresh = changed.fresh.With(c.New[version], c.Shown)
		}
		for code, shown := range c.Shown {
			can, known := h.index.Stock(code)
			if shown != nil {
				can = *shown
			}
			if known {
				h.index.Show(changed.shown, code, can)
			}
		}
		s.held[version] = changed
	}
}

// Held lists the versions in memory, sorted.
func (s *Store) Held() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.held))
}

func (s *Store) of(m *recommend.Model) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[m.Version]
}

// Lookup finds products in memory, and customers and sessions in the database.
func (s *Store) Lookup(ctx context.Context, m *recommend.Model, codes, customers,
	sessions []string, until activity.Order) (recommend.Lookup, error) {
	h := s.of(m)
	if h == nil {
		return s.database.Lookup(ctx, m, codes, customers, sessions, until)
	}
	if err := recommend.CheckText(codes...); err != nil {
		return recommend.Lookup{}, err
	}
	found := recommend.Lookup{}
	switch {
	case len(customers)+len(sessions) == 0:
	case m.Stale:
		found = s.customersOf(m.Version, customers)
	default:
		var err error
		if found, err = s.database.Lookup(ctx, m, nil, customers, sessions, until); err != nil {
			return found, err
		}
		s.noteCustomers(m.Version, customers, found)
	}
	found.Items = h.index.Lookup(codes)
	h.fresh.Lookup(codes, found.Items)
	return found, ctx.Err()
}

// Retrieve compares the products in memory. What customers have rated comes from the database. Until the facts that
// rules see are in memory, the database answers the questions with rules, and these alone.
func (s *Store) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	h := s.of(m)
	switch rules := ruled(searches, neighbours); {
	case h == nil:
		candidates, similar, err := s.database.Retrieve(ctx, m, searches, neighbours)
		s.rouse()
		return candidates, similar, err
	case rules && !h.filled.whole && m.Stale:
		return nil, nil, recommend.ErrNoFacts
	case rules && !h.filled.whole:
		s.wantFacts()
		return s.parted(ctx, h, m, searches, neighbours)
	}
	return s.retrieve(ctx, h, m, searches, neighbours)
}

// retrieve compares the products in memory.
func (s *Store) retrieve(ctx context.Context, h *held, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	var customers []string
	asked := map[string]bool{}
	for i := range searches {
		q := &searches[i]
		if err := q.Check(m.Solver.Dim); err != nil {
			return nil, nil, err
		}
		if err := recommend.CheckText(q.Exclude...); err != nil {
			return nil, nil, err
		}
		if q.Customer != nil && !asked[*q.Customer] {
			asked[*q.Customer] = true
			customers = append(customers, *q.Customer)
		}
	}
	for _, q := range neighbours {
		if err := q.Check(); err != nil {
			return nil, nil, err
		}
		if err := recommend.CheckText(q.Code); err != nil {
			return nil, nil, err
		}
	}
	var rated map[string][]vectorstore.Rated
	switch {
	case len(customers) == 0:
	case m.Stale:
		rated = s.ratedOf(m.Version, customers)
	default:
		var err error
		if rated, err = s.database.Rated(ctx, m, customers); err != nil {
			return nil, nil, err
		}
		s.noteRated(m.Version, customers, rated)
	}
	hidden := make([][]int32, len(searches))
	for i := range searches {
		if searches[i].Customer != nil {
			hidden[i] = hides(rated[*searches[i].Customer], searches[i].At)
		}
	}
	candidates, similar := h.index.Retrieve(searches, hidden, neighbours, h.shown, h.fresh, h.filled.facts)
	return candidates, similar, ctx.Err()
}

// hides are the products that stay hidden at a time.
func hides(rated []vectorstore.Rated, at time.Time) []int32 {
	items, now := make([]int32, 0, len(rated)), at.UnixMicro()
	for _, r := range rated {
		if r.Until > now {
			items = append(items, r.Item)
		}
	}
	return items
}

// Facts asks the database.
func (s *Store) Facts(ctx context.Context, m *recommend.Model, codes []string) (map[string]recommend.Facts, error) {
	return s.database.Facts(ctx, m, codes)
}

// List asks the database. While it is down, the memory keeps rules on products that are given, if it has their facts.
func (s *Store) List(ctx context.Context, m *recommend.Model, q recommend.ListQuery) ([]recommend.Listed, error) {
	h := s.of(m)
	given := h != nil && q.Given != nil && q.Rules != nil
	switch {
	case given && h.filled.whole && m.Stale:
		return h.index.Given(q, h.shown, h.fresh, h.filled.facts), ctx.Err()
	case m.Stale:
		return nil, recommend.ErrNoFacts
	case given && !h.filled.whole:
		s.wantFacts()
	}
	return s.database.List(ctx, m, q)
}

// CanaryFailed tells the database.
func (s *Store) CanaryFailed(ctx context.Context, version string, fault error) error {
	return s.database.CanaryFailed(ctx, version, fault)
}

// Arms asks the database.
func (s *Store) Arms(ctx context.Context, experiment string, visitors []string) (map[string]recommend.Arm, error) {
	return s.database.Arms(ctx, experiment, visitors)
}

// KeepArms tells the database.
func (s *Store) KeepArms(ctx context.Context, experiment string,
	arms map[string]recommend.Arm) (map[string]recommend.Arm, error) {
	return s.database.KeepArms(ctx, experiment, arms)
}
