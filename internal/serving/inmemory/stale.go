package inmemory

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
)

const (
	// staleWait is how long a question waits for a database that answered the one before. Within it, an
	// answer still reaches its page in time.
	staleWait = time.Second
	// probePause is between two tries while the database is down: the questions meanwhile do not wait.
	probePause = time.Second
	// knownCustomers is how many customers are remembered, at least: those asked for last. They are fewer if
	// they have more than knownEntries in all: products that were rated, bought or hidden, up to 100 bytes each.
	knownCustomers = 2000
	knownEntries   = 200_000
)

// stale is what is remembered of the database for the time when it is down. A zero age remembers
// nothing. The store's mutex guards it.
type stale struct {
	age       time.Duration
	traffic   recommend.Traffic
	at        time.Time // when it was read
	down      bool      // the last reading failed, or took too long
	probed    time.Time // when the last reading began
	recent    map[customerOf]*customer
	entries   int                      // of the recent ones
	lessSoon  map[customerOf]*customer // those before
	announced bool                     // the outage was logged
}

// customerOf is a customer in a version.
type customerOf struct{ version, id string }

// customer is what the database said of one; found is nil where the version does not know them.
type customer struct {
	found  *recommend.Customer
	bought []recommend.Bought
	said   recommend.Said
	rated  []vectorstore.Rated
}

func (c *customer) entries() int { return len(c.bought) + len(c.said.Hidden) + len(c.rated) }

// AnswerStale lets the memory answer while the database is down, for so long after the last reading of the
// versions that answer and of the state of products. Call it before the first question.
func (s *Store) AnswerStale(age time.Duration) {
	s.stale = stale{age: age, recent: map[customerOf]*customer{}}
}

// remember notes a reading. The caller holds the lock.
func (s *Store) remember(traffic recommend.Traffic) {
	s.stale.traffic, s.stale.at = traffic, s.loader.now()
	s.answered()
}

// answered notes that the database is not down. The caller holds the lock.
func (s *Store) answered() {
	s.stale.down = false
	if s.stale.announced {
		s.stale.announced = false
		s.loader.log.Info("the vector database answers again")
	}
}

// outage says whether an error may be of a database that is down, and not of what it says.
func outage(err error) bool {
	var refused *recommend.RefusedError
	return !errors.Is(err, vectorstore.ErrNoLiveVersion) && !errors.Is(err, vectorstore.ErrNotMigrated) &&
		!errors.Is(err, vectorstore.ErrOtherShop) && !errors.As(err, &refused)
}

// hasOld says whether what was read last may still answer: the live version must be in memory. The caller holds
// the lock.
func (s *Store) hasOld() bool {
	live := s.stale.traffic.Live
	return s.stale.age > 0 && live != nil && s.held[live.Version] != nil &&
		s.loader.now().Sub(s.stale.at) <= s.stale.age
}

// old is what was read last, where hasOld. A canary that is not in memory leaves its sessions to the live
// version. The caller holds the lock.
func (s *Store) old() recommend.Traffic {
	traffic := s.stale.traffic
	traffic.Stale = true
	traffic.Live = asStale(traffic.Live)
	switch {
	case traffic.Canary == nil:
	case s.held[traffic.Canary.Version] == nil:
		traffic.Canary, traffic.Share, traffic.CanaryFault = nil, 0, nil
	default:
		traffic.Canary = asStale(traffic.Canary)
	}
	return traffic
}

// asStale is the model for a question that the memory alone answers, whatever others learn of the database
// meanwhile.
func asStale(m *recommend.Model) *recommend.Model {
	stale := *m
	stale.Stale = true
	return &stale
}

// instead is what answers in place of a reading that failed, or takes too long.
func (s *Store) instead(ctx context.Context, err error) (recommend.Traffic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hasOld() || !outage(err) {
		return recommend.Traffic{}, err
	}
	s.stale.down = true
	if !s.stale.announced {
		s.stale.announced = true
		s.loader.log.LogAttrs(ctx, slog.LevelWarn, "the vector database is down: the memory gives stale answers",
			slog.String(logkey.Error, err.Error()))
	}
	return s.old(), nil
}

// left is how much longer a question waits for a reading, which may have had to wait for the state that a
// version needs to come into memory.
func (s *Store) left(t *turn) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !t.began.IsZero():
		return staleWait - time.Since(t.began)
	case s.holding:
		return staleWait
	}
	return staleWait - time.Since(s.heldAt)
}

// of is what is remembered of a customer, to read; nil: nothing. The caller holds the lock.
func (s *stale) of(version, id string) *customer {
	key := customerOf{version, id}
	if known := s.recent[key]; known != nil {
		return known
	}
	return s.lessSoon[key]
}

// note changes what is remembered of a customer. The caller holds the lock.
func (s *stale) note(version, id string, change func(c *customer)) {
	if s.age == 0 {
		return
	}
	key := customerOf{version, id}
	known := s.recent[key]
	if known == nil {
		if known = s.lessSoon[key]; known == nil {
			known = &customer{}
		}
		s.recent[key] = known
		s.entries += known.entries()
	}
	s.entries -= known.entries()
	change(known)
	s.entries += known.entries()
	if len(s.recent) >= knownCustomers || s.entries > knownEntries {
		s.lessSoon, s.recent, s.entries = s.recent, make(map[customerOf]*customer, knownCustomers), 0
	}
}

// noteCustomers remembers what was looked up.
func (s *Store) noteCustomers(version string, ids []string, found recommend.Lookup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.stale.note(version, id, func(known *customer) {
			known.found, known.bought, known.said = nil, found.Bought[id], found.Said[id]
			if c, ok := found.Customers[id]; ok {
				known.found = &c
			}
		})
	}
}

// noteRated remembers what customers have rated.
func (s *Store) noteRated(version string, ids []string, rated map[string][]vectorstore.Rated) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.stale.note(version, id, func(known *customer) { known.rated = rated[id] })
	}
}

// customersOf looks customers up in what is remembered.
func (s *Store) customersOf(version string, ids []string) recommend.Lookup {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := recommend.Lookup{Customers: map[string]recommend.Customer{}, Bought: map[string][]recommend.Bought{},
		Said: map[string]recommend.Said{}}
	for _, id := range ids {
		known := s.stale.of(version, id)
		if known == nil {
			continue
		}
		if known.found != nil {
			found.Customers[id] = *known.found
		}
		found.Bought[id], found.Said[id] = known.bought, known.said
	}
	return found
}

// ratedOf is the same of what they have rated.
func (s *Store) ratedOf(version string, ids []string) map[string][]vectorstore.Rated {
	s.mu.Lock()
	defer s.mu.Unlock()
	rated := make(map[string][]vectorstore.Rated, len(ids))
	for _, id := range ids {
		if known := s.stale.of(version, id); known != nil {
			rated[id] = known.rated
		}
	}
	return rated
}
