// Package recommendtest helps to test what recommends: a store in memory that answers as the vector database must, and a
// small made-up model. It is for tests only.
package recommendtest

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"kindred/internal/modelversion"
	"kindred/internal/recommend"
)

// Store answers from versions in memory by an exact scan. It is safe for concurrent use.
type Store struct {
	mu     sync.Mutex
	live   *modelversion.Version
	canary *modelversion.Version // nil: none
	share  float64
	fail   func(ctx context.Context) error
	refuse string // a product code; "": none
	trips  int
}

// NewStore makes a store in which v is live.
func NewStore(v *modelversion.Version) *Store { return &Store{live: v} }

// Promote makes v live.
func (s *Store) Promote(v *modelversion.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = v
}

// Canary lets v answer for a share of the sessions; nil ends that.
func (s *Store) Canary(v *modelversion.Version, share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary, s.share = v, share
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
func (s *Store) version(m *recommend.Model) *modelversion.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.canary != nil && s.canary.ID == m.Version {
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
	t := recommend.Traffic{Live: modelOf(s.live)}
	if s.canary != nil {
		t.Canary, t.Share = modelOf(s.canary), s.share
	}
	return t, nil
}

func modelOf(v *modelversion.Version) *recommend.Model {
	return &recommend.Model{Version: v.ID, Solver: v.Solver, Encoder: v.Encoder}
}

// Lookup finds products and customers. Like PostgreSQL it refuses a code that is no text that a database holds.
func (s *Store) Lookup(ctx context.Context, m *recommend.Model, codes []string, customers []int32) (recommend.Lookup, error) {
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
	found := recommend.Lookup{Items: map[string][]float32{}, Customers: map[int32]recommend.Customer{}}
	for _, it := range v.Items {
		if slices.Contains(codes, it.Code) {
			found.Items[it.Code] = it.Vector
		}
	}
	for _, c := range v.Customers {
		if slices.Contains(customers, c.Number) {
			found.Customers[c.Number] = recommend.Customer{Origin: c.Origin, Vector: c.Vector}
		}
	}
	return found, nil
}

// Retrieve scans all items for every question.
func (s *Store) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search, neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	v := s.version(m)
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i, q := range searches {
		candidates[i] = search(v, q)
	}
	for i, q := range neighbours {
		similar[i] = nearest(v, q)
	}
	return candidates, similar, nil
}

func search(v *modelversion.Version, q recommend.Search) []recommend.Candidate {
	exclude := map[string]bool{}
	for _, code := range q.Exclude {
		exclude[code] = true
	}
	if q.Customer != nil {
		for _, c := range v.Customers {
			for _, code := range c.Rated {
				exclude[code] = exclude[code] || c.Number == *q.Customer
			}
		}
	}
	var found []recommend.Candidate
	for _, it := range v.Items {
		if exclude[it.Code] || it.QuantityInStock <= 0 {
			continue
		}
		score := float32(it.Positives)
		if q.Vector != nil {
			score = dot(q.Vector, it.Vector)
		}
		found = append(found, recommend.Candidate{Code: it.Code, Score: score, Vector: it.Vector})
	}
	slices.SortStableFunc(found, func(a, b recommend.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return found[:min(q.Limit, len(found))]
}

func nearest(v *modelversion.Version, q recommend.Neighbours) []recommend.Similar {
	at := slices.IndexFunc(v.Items, func(it modelversion.Item) bool { return it.Code == q.Code })
	if at < 0 {
		return nil
	}
	origin := v.Items[at].Vector
	var found []recommend.Similar
	for _, it := range v.Items {
		if it.Code == q.Code || it.QuantityInStock <= 0 {
			continue
		}
		cosine := float64(dot(origin, it.Vector)) / math.Sqrt(float64(dot(origin, origin))*float64(dot(it.Vector, it.Vector)))
		found = append(found, recommend.Similar{Code: it.Code, Distance: float32(1 - cosine)})
	}
	slices.SortStableFunc(found, func(a, b recommend.Similar) int { return cmp.Compare(a.Distance, b.Distance) })
	return found[:min(q.Limit, len(found))]
}

func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
