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
	return ListWith(ctx, s, func(ctx context.Context, v vectorstore.Version) ([]string, error) {
		return Damage(ctx, s, v)
	})
}

// ListWith is List with another way to know the damage, for somebody who lists often: Damage counts all rows.
func ListWith(ctx context.Context, s *vectorstore.Store,
	damage func(context.Context, vectorstore.Version) ([]string, error)) (Listing, error) {
	found, err := s.Versions(ctx)
	if err != nil {
		return Listing{}, err
	}
	listing := Listing{Versions: make([]Listed, len(found))}
	for i, v := range found {
		faults, err := damage(ctx, v)
		if err != nil {
			return Listing{}, err
		}
		listing.Versions[i] = Listed{v, append([]string{}, faults...)}
	}
	listing.History, err = s.History(ctx)
	return listing, err
}

// Damage is what is wrong with a version's tables, and if it answers, with what serving asks of it.
func Damage(ctx context.Context, s *vectorstore.Store, v vectorstore.Version) ([]string, error) {
	faults, err := s.Damage(ctx, v)
	if err != nil || len(faults) > 0 || !v.Live && v.Canary == 0 {
		return faults, err
	}
	if fault := s.CheckVersion(ctx, v.ID); fault != nil {
		faults = []string{fault.Error()}
	}
	return faults, nil
}
