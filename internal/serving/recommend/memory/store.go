package memory

import (
	"context"

	"kindred/internal/serving/recommend"
)

// Store is the recommender's store with one version, which is live.
type Store struct{ live *Version }

// NewStore makes v live.
func NewStore(v *Version) *Store { return &Store{live: v} }

// Traffic gives the live version.
func (s *Store) Traffic(ctx context.Context) (recommend.Traffic, error) {
	return recommend.Traffic{Live: s.live.Model}, ctx.Err()
}

// Lookup is Version.Lookup.
func (s *Store) Lookup(ctx context.Context, _ *recommend.Model, codes []string,
	customers []int32) (recommend.Lookup, error) {
	return s.live.Lookup(codes, customers), ctx.Err()
}

// Retrieve answers every question by an exact scan.
func (s *Store) Retrieve(ctx context.Context, _ *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i, q := range searches {
		candidates[i] = s.live.Search(q)
	}
	for i, q := range neighbours {
		similar[i] = s.live.Nearest(q)
	}
	return candidates, similar, ctx.Err()
}
