// Package recommendtest helps to test what recommends: a suite that every store must pass, a store
// that fails on demand, and a small made-up model. It is for tests only.
package recommendtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/stream/activity"
)

// errBroken is what a version answers that Break broke.
var errBroken = errors.New("the version was broken by the test")

// Store answers from versions in memory, and fails when it is told to. It is safe for concurrent use.
type Store struct {
	inner  *memory.Store
	mu     sync.Mutex
	fail   func(ctx context.Context) error
	broken string // a version that answers nothing; "": none
	refuse string // a product code; "": none
	trips  int
}

// NewStore returns a store in which v is live.
func NewStore(v *modelversion.Version) *Store { return &Store{inner: memory.NewStore(memory.New(v))} }

// Promote makes v live.
func (s *Store) Promote(v *modelversion.Version) { s.inner.Promote(memory.New(v)) }

// Canary lets v answer for a share of the sessions; nil ends that.
func (s *Store) Canary(v *modelversion.Version, share float64) {
	if v == nil {
		s.inner.SetCanary(nil, 0)
		return
	}
	s.inner.SetCanary(memory.New(v), share)
}

// StartExperiment compares the live version with v, as the treatment.
func (s *Store) StartExperiment(x recommend.Experiment, v *modelversion.Version) {
	s.inner.StartExperiment(x, memory.New(v))
}

// Fail makes every later call ask f first, and fail when f does; nil ends that.
func (s *Store) Fail(f func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// Break makes every question to a version fail, as if its tables were gone; "" ends that.
func (s *Store) Break(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = version
}

// Place makes placements live.
func (s *Store) Place(byName map[string]recommend.Placement) {
	s.inner.SetPlacements(recommend.ReadPlacements("p1", recommend.EncodePlacements(byName)))
}

// PlaceTreatment compares the live placements with others, which a share of the visitors gets.
func (s *Store) PlaceTreatment(name string, share float64, byName map[string]recommend.Placement) {
	s.inner.ComparePlacements(recommend.Experiment{Name: name, Share: share,
		Placements: recommend.ReadPlacements("p2", recommend.EncodePlacements(byName))})
}

// Refuse makes every question about a product code fail, as a database does that can never accept it.
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

func (s *Store) enter(ctx context.Context, m *recommend.Model) error {
	s.mu.Lock()
	s.trips++
	fail, broken := s.fail, m != nil && m.Version == s.broken
	s.mu.Unlock()
	if fail != nil {
		if err := fail(ctx); err != nil {
			return err
		}
	}
	if broken {
		return errBroken
	}
	return ctx.Err()
}

// Traffic returns the versions that answer.
func (s *Store) Traffic(ctx context.Context) (recommend.Traffic, error) {
	if err := s.enter(ctx, nil); err != nil {
		return recommend.Traffic{}, err
	}
	return s.inner.Traffic(ctx)
}

// Check is Traffic, with what Break broke.
func (s *Store) Check(ctx context.Context) (recommend.Traffic, error) {
	traffic, err := s.Traffic(ctx)
	if err != nil {
		return traffic, err
	}
	if traffic.Canary != nil {
		traffic.CanaryFault = s.enter(ctx, traffic.Canary)
	}
	return traffic, s.enter(ctx, traffic.Live)
}

// Lookup finds products and customers.
func (s *Store) Lookup(ctx context.Context, m *recommend.Model, codes, customers,
	sessions []string, until activity.Order) (recommend.Lookup, error) {
	if err := s.enter(ctx, m); err != nil {
		return recommend.Lookup{}, err
	}
	s.mu.Lock()
	never := s.refuse
	s.mu.Unlock()
	if never != "" && slices.Contains(codes, never) {
		return recommend.Lookup{}, &recommend.RefusedError{Reason: "SQLSTATE 22021"}
	}
	return s.inner.Lookup(ctx, m, codes, customers, sessions, until)
}

// Retrieve scans all items for every question.
func (s *Store) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	if err := s.enter(ctx, m); err != nil {
		return nil, nil, err
	}
	return s.inner.Retrieve(ctx, m, searches, neighbours)
}

// Facts finds what is known of products.
func (s *Store) Facts(ctx context.Context, m *recommend.Model, codes []string) (map[string]recommend.Facts, error) {
	if err := s.enter(ctx, m); err != nil {
		return nil, err
	}
	return s.inner.Facts(ctx, m, codes)
}

// List answers with a list.
func (s *Store) List(ctx context.Context, m *recommend.Model, q recommend.ListQuery) ([]recommend.Listed, error) {
	if err := s.enter(ctx, m); err != nil {
		return nil, err
	}
	return s.inner.List(ctx, m, q)
}

// Count counts clicks. It is no round trip that an answer waits for.
func (s *Store) Count(ctx context.Context, clicks []recommend.Counted) error {
	return s.inner.Count(ctx, clicks)
}

// WriteState adds what events say.
func (s *Store) WriteState(ctx context.Context, state recommend.State) error {
	if err := s.enter(ctx, nil); err != nil {
		return err
	}
	return s.inner.WriteState(ctx, state)
}

// CanaryFailed records a fault of the canary.
func (s *Store) CanaryFailed(ctx context.Context, version string, fault error) error {
	if err := s.enter(ctx, nil); err != nil {
		return err
	}
	return s.inner.CanaryFailed(ctx, version, fault)
}

// Bare has nothing to say of products and visitors: it is for stores of tests that ask for nothing of it.
type Bare struct{}

// Arms finds nothing.
func (Bare) Arms(context.Context, string, []string) (map[string]recommend.Arm, error) {
	return map[string]recommend.Arm{}, nil
}

// KeepArms keeps nothing.
func (Bare) KeepArms(context.Context, string, map[string]recommend.Arm) (map[string]recommend.Arm, error) {
	return map[string]recommend.Arm{}, nil
}

// Facts finds nothing.
func (Bare) Facts(context.Context, *recommend.Model, []string) (map[string]recommend.Facts, error) {
	return map[string]recommend.Facts{}, nil
}

// Arms are the arms that are kept of visitors.
func (s *Store) Arms(ctx context.Context, experiment string, visitors []string) (map[string]recommend.Arm, error) {
	if err := s.enter(ctx, nil); err != nil {
		return nil, err
	}
	return s.inner.Arms(ctx, experiment, visitors)
}

// KeepArms keeps the arms of visitors who have none yet.
func (s *Store) KeepArms(ctx context.Context, experiment string,
	arms map[string]recommend.Arm) (map[string]recommend.Arm, error) {
	if err := s.enter(ctx, nil); err != nil {
		return nil, err
	}
	return s.inner.KeepArms(ctx, experiment, arms)
}

// List finds nothing.
func (Bare) List(context.Context, *recommend.Model, recommend.ListQuery) ([]recommend.Listed, error) {
	return nil, nil
}

// Count counts nothing.
func (Bare) Count(context.Context, []recommend.Counted) error { return nil }
