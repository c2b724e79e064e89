package vectorstore

import (
	"context"

	"kindred/internal/recommend"
)

// Source is the store as package recommend asks it: the same calls and errors, with that package's data types, which know
// no database. It is safe for concurrent use.
type Source struct{ store *Store }

// NewSource makes a Source of s.
func NewSource(s *Store) Source { return Source{s} }

// Live is Store.Live.
func (s Source) Live(ctx context.Context) (*recommend.Model, error) {
	m, err := s.store.Live(ctx)
	if err != nil {
		return nil, err
	}
	return &recommend.Model{Version: m.Version, Solver: m.Solver, Encoder: m.Encoder}, nil
}

// Lookup is Store.Lookup. It finds m in memory, unless other versions have displaced it meanwhile.
func (s Source) Lookup(ctx context.Context, m *recommend.Model, codes []string, customers []int32) (recommend.Lookup, error) {
	own, err := s.store.model(ctx, m.Version)
	if err != nil {
		return recommend.Lookup{}, err
	}
	found, err := s.store.Lookup(ctx, own, codes, customers)
	if err != nil {
		return recommend.Lookup{}, err
	}
	out := recommend.Lookup{
		Items:     make(map[string]recommend.Item, len(found.Items)),
		Customers: make(map[int32]recommend.Customer, len(found.Customers)),
	}
	for code, item := range found.Items {
		out.Items[code] = recommend.Item(item)
	}
	for number, customer := range found.Customers {
		out.Customers[number] = recommend.Customer(customer)
	}
	return out, nil
}

// Retrieve is Store.Retrieve.
func (s Source) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search, neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	own, err := s.store.model(ctx, m.Version)
	if err != nil {
		return nil, nil, err
	}
	ownSearches, ownNeighbours := make([]Search, len(searches)), make([]Neighbours, len(neighbours))
	for i, q := range searches {
		ownSearches[i] = Search(q)
	}
	for i, q := range neighbours {
		ownNeighbours[i] = Neighbours(q)
	}
	found, near, err := s.store.Retrieve(ctx, own, ownSearches, ownNeighbours)
	if err != nil {
		return nil, nil, err
	}
	candidates, similar := make([][]recommend.Candidate, len(found)), make([][]recommend.Similar, len(near))
	for i, list := range found {
		candidates[i] = make([]recommend.Candidate, len(list))
		for j, c := range list {
			candidates[i][j] = recommend.Candidate(c)
		}
	}
	for i, list := range near {
		similar[i] = make([]recommend.Similar, len(list))
		for j, x := range list {
			similar[i][j] = recommend.Similar(x)
		}
	}
	return candidates, similar, nil
}
