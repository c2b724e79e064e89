// Package recommendtest helps to test what recommends: a store in memory that answers as the vector
// database must, and a small made-up model. It is for tests only.
package recommendtest

import (
	"context"
	"strings"
	"sync"
	"unicode/utf8"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
)

// Store answers from versions in memory by an exact scan. It is safe for concurrent use.
type Store struct {
	mu     sync.Mutex
	live   *memory.Version
	canary *memory.Version // nil: none
	share  float64
	fail   func(ctx context.Context) error
	refuse string // a product code; "": none
	trips  int
}

// NewStore makes a store in which v is live.
func NewStore(v *modelversion.Version) *Store { return &Store{live: memory.New(v)} }

// Promote makes v live.
func (s *Store) Promote(v *modelversion.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = memory.New(v)
}

// Canary lets v answer for a share of the sessions; nil ends that.
func (s *Store) Canary(v *modelversion.Version, share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary, s.share = nil, share
	if v != nil {
		s.canary = memory.New(v)
	}
}

// Fail lets every later call ask f first; nil ends that.
func (s *Store) Fail(f func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// Refuse makes every question about a product code fail, as a database does that takes it never.
func (s *Store) Refuse(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = code
}

// Trips counts the calls.
func (s *Store) Trips() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trips
}

func (s *Store) enter(ctx context.Context) error {
	s.mu.Lock()
	s.trips++
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// version finds the version of m, which is the live one when it is no longer known.
func (s *Store) version(m *recommend.Model) *memory.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.canary != nil && s.canary.Model.Version == m.Version {
		return s.canary
	}
	return s.live
}

// Traffic gives the versions that answer.
func (s *Store) Traffic(ctx context.Context) (recommend.Traffic, error) {
	if err := s.enter(ctx); err != nil {
		return recommend.Traffic{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := recommend.Traffic{Live: s.live.Model}
	if s.canary != nil {
		t.Canary, t.Share = s.canary.Model, s.share
	}
	return t, nil
}

// Lookup finds products and customers. Like PostgreSQL it refuses a code that is no text that a
// database holds.
func (s *Store) Lookup(ctx context.Context, m *recommend.Model, codes []string,
	customers []int32) (recommend.Lookup, error) {
	if err := s.enter(ctx); err != nil {
		return recommend.Lookup{}, err
	}
	v := s.version(m)
	s.mu.Lock()
	never := s.refuse
	s.mu.Unlock()
	for _, code := range codes {
		if !utf8.ValidString(code) || strings.Contains(code, "\x00") || code == never {
			return recommend.Lookup{}, &recommend.RefusedError{Reason: "SQLSTATE 22021"}
		}
	}
	return v.Lookup(codes, customers), nil
}

// Retrieve scans all items for every question.
func (s *Store) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	v := s.version(m)
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i, q := range searches {
		candidates[i] = v.Search(q)
	}
	for i, q := range neighbours {
		similar[i] = v.Nearest(q)
	}
	return candidates, similar, nil
}
