// Package plantedshop reads from the lake how a generated shop was made, so that its planted tastes
// can be known again: the trainer's ceiling and the simulated visitors follow them. `seed` writes
// that object, and removes it with the shop.
package plantedshop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kindred/internal/lab/simulation"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
)

// Read returns the lake's record of how the shop was generated, a simulation.Config as JSON; nil
// when there is none.
func Read(ctx context.Context, lake objectstore.Store) ([]byte, error) {
	record, _, err := objectstore.ReadAll(ctx, lake, envconfig.PlantedShopKey)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read how the shop was generated: %w", err)
	}
	return record, nil
}

// Source hands the planted truth to train.
type Source struct{}

// Read is the function Read.
func (Source) Read(ctx context.Context, lake objectstore.Store) ([]byte, error) {
	return Read(ctx, lake)
}

// Truth is the affinity of the shop that a record describes; nil where Shop is nil.
func (Source) Truth(record []byte, products []shop.Product) (func(customer, product string) float64, error) {
	s, err := Shop(record, products)
	if s == nil {
		return nil, err
	}
	return s.Affinity, nil
}

// Shop generates the shop of a record again. It is nil without a record, and when products, ordered
// by code, are another shop's: its tastes would say nothing about them.
func Shop(record []byte, products []shop.Product) (*simulation.Shop, error) {
	if record == nil {
		return nil, nil
	}
	var cfg simulation.Config
	if err := json.Unmarshal(record, &cfg); err != nil {
		return nil, fmt.Errorf("decode %s of the lake: %w", envconfig.PlantedShopKey, err)
	}
	s, err := simulation.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("generate the shop of %s again: %w", envconfig.PlantedShopKey, err)
	}
	if !slices.EqualFunc(s.Products(), products,
		func(a, b shop.Product) bool { return a.Code == b.Code && a.Name == b.Name }) {
		return nil, nil
	}
	return s, nil
}
