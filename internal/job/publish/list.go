package publish

import (
	"context"

	"kindred/internal/serving/vectorstore"
)

// Listing is what `publish list` knows: the registry, newest load first, and the pointer's history, oldest
// first.
type Listing struct {
	Versions []Listed                `json:"versions"`
	History  []vectorstore.Promotion `json:"history"`
}

// Listed is a version with what is wrong with its tables.
type Listed struct {
	vectorstore.Version
	Damage []string `json:"damage"`
}

// List reads the registry, looks for damage, and asks the versions that answer what serving asks.
func List(ctx context.Context, s *vectorstore.Store) (Listing, error) {
	found, err := s.Versions(ctx)
	if err != nil {
		return Listing{}, err
	}
	listing := Listing{Versions: make([]Listed, len(found))}
	for i, v := range found {
		faults, err := s.Damage(ctx, v)
		if err != nil {
			return Listing{}, err
		}
		if len(faults) == 0 && (v.Live || v.Canary > 0) {
			if fault := s.CheckVersion(ctx, v.ID); fault != nil {
				faults = []string{fault.Error()}
			}
		}
		listing.Versions[i] = Listed{v, append([]string{}, faults...)}
	}
	listing.History, err = s.History(ctx)
	return listing, err
}
