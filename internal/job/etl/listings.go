package etl

import (
	"context"
	"strings"
	"time"

	"kindred/internal/platform/program"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// Listings is one consistent reading of all products that a shop lists.
type Listings struct {
	Shop     string         // its name
	ReadAt   time.Time      // a moment before the reading's snapshot
	Products []shop.Listing // sorted by id, each id once
	LeftOut  int64          // rows without a usable id, or with that of another row
}

// Listings reads the products of a shop of either kind.
func (s Source) Listings(ctx context.Context, out *program.Output) (all Listings, err error) {
	all.ReadAt = time.Now()
	at, err := s.find(ctx)
	if err != nil {
		return all, err
	}
	err = at.read(ctx, out, func(snapshot *mysqlsource.Snapshot) error {
		products, err := listings(ctx, snapshot)
		if err != nil {
			return err
		}
		faults := snapshot.Faults()
		all.Shop, all.Products = s.Shop.Of(snapshot.Position().Database), distinctListings(products, faults)
		all.LeftOut = faults.Count(shop.ProductKey) + faults.Count(shop.ProductTwice)
		return oneCurrency(all.Products)
	})
	return all, err
}

func listings(ctx context.Context, from *mysqlsource.Snapshot) ([]shop.Listing, error) {
	if from.Mapped().HasInteractions() {
		return from.Listings(ctx)
	}
	products, err := from.Products(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]shop.Listing, len(products))
	for i, p := range products {
		all[i] = listingOf(p)
	}
	return all, nil
}

// listingOf is a product of a shop with ratings in the form of other shops.
func listingOf(p shop.Product) shop.Listing {
	l := shop.Listing{ID: p.Code, Name: p.Name, Brand: p.Vendor, Stock: new(int64(p.QuantityInStock)),
		Available: p.QuantityInStock > 0}
	if p.Line != "" {
		l.Categories = []string{p.Line}
	}
	if p.MSRP > 0 { // 0 stands for "not known"
		l.Price = new(shop.Money(p.MSRP) * (shop.MoneyScale / 100))
	}
	return l
}

// distinctListings is distinctProducts for a shop with interactions.
func distinctListings(products []shop.Listing, faults *shop.Faults) []shop.Listing {
	return distinct(products, func(a, b shop.Listing) int { return strings.Compare(a.ID, b.ID) },
		func(p shop.Listing) {
			faults.Add(shop.ProductTwice, func() string { return shop.ProductName(p.ID) + ": there more than once" })
		})
}
