package etl

import (
	"context"
	"slices"
	"strings"

	"kindred/internal/lake/erased"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// without is the source without the persons who were erased: they may still be in the shop.
func without(from source, list *erased.List) source {
	if list.Len() == 0 {
		return from
	}
	return &withoutErased{source: from, list: list}
}

type withoutErased struct {
	source
	list *erased.List
}

func (w *withoutErased) Customers(ctx context.Context) ([]shop.Customer, error) {
	all, err := w.source.Customers(ctx)
	return slices.DeleteFunc(all, func(c shop.Customer) bool { return w.list.Customer(c.ID) }), err
}

// RatingsIn passes over ratings. Those of one customer come one after the other.
func (w *withoutErased) RatingsIn(ctx context.Context, customers mysqlsource.Range,
	rating func(shop.Rating) error) error {
	id, gone := "", false
	return w.source.RatingsIn(ctx, customers, func(r shop.Rating) error {
		if r.CustomerID != id {
			id = strings.Clone(r.CustomerID) // the rating's own is valid during the call only
			gone = w.list.Customer(id)
		}
		if gone {
			return nil
		}
		return rating(r)
	})
}

// withoutInHistory is without, for a shop with interactions.
func withoutInHistory(from historySource, list *erased.List) historySource {
	if list.Len() == 0 {
		return from
	}
	return &historyWithoutErased{historySource: from, list: list}
}

type historyWithoutErased struct {
	historySource
	list *erased.List
}

func (w *historyWithoutErased) Shoppers(ctx context.Context) ([]shop.Shopper, error) {
	all, err := w.historySource.Shoppers(ctx)
	return slices.DeleteFunc(all, func(s shop.Shopper) bool { return w.list.Customer(s.ID) }), err
}

func (w *historyWithoutErased) Interactions(ctx context.Context, next func(shop.Interaction)) error {
	return w.historySource.Interactions(ctx, func(i shop.Interaction) {
		if !w.list.Row(string(i.Customer), string(i.Session)) {
			next(i)
		}
	})
}
