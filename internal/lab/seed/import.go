package seed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kindred/internal/lab/importer"
	"kindred/internal/platform/program"
	"kindred/internal/shop/shopdb"
)

// Import is `seed import`.
type Import struct {
	target
	Path string `arg:"" name:"path" help:"File, or folder with the unpacked files. seed recognises them by their names and headers, which docs/files.md lists. Text files may be gzipped."`
	Files
}

// Files says how files are read that do not say it themselves.
type Files struct {
	Column   map[string]string `placeholder:"ROLE=NAME" help:"Name a column of the files, such as product=sku. Roles: product, customer, email, session, order, at, kind, value, quantity, price, state, name, category, brand, currency, country and city. Repeat it for several columns."`
	Kind     string            `placeholder:"KIND" help:"Kind of every line, such as view or purchase, whatever the columns contain."`
	DayFirst bool              `help:"Read 1/12/2010 as the first of December. Default: a date such as 31/12/2010 shows the order. Without one, the month comes first."`
}

// Run loads the data. There is no planted truth then, so an earlier shop's is removed from the lake.
func (i *Import) Run(ctx context.Context, out *program.Output) error {
	data, err := importer.Open(i.Path, importer.Options{Columns: i.Column, Kind: i.Kind, DayFirst: i.DayFirst})
	if errors.Is(err, importer.ErrUnknownFolder) {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return err
	}
	if data.History != nil {
		return i.history(ctx, out, data.History)
	}
	s := data.Shop
	content := shopdb.Content{Kind: s.Kind, Customers: s.Customers, Products: s.Products,
		Ratings: slices.Values(s.Ratings)}
	r, err := i.load(ctx, out, ratings(content), nil, len(s.Customers)+len(s.Products)+len(s.Ratings))
	if err != nil {
		return err
	}
	r.Duplicates, r.Orphans, r.Format = s.Duplicates, s.Orphans, s.Format
	return out.Result(r.sentence(s.Format), r)
}

// history loads orders and events, which are read while they are loaded.
func (i *Import) history(ctx context.Context, out *program.Output, h *importer.History) error {
	fill := func(ctx context.Context, db *shopdb.DB, o shopdb.Options) (shopdb.Result, error) {
		return db.LoadHistory(ctx, shopdb.History{Kind: h.Kind, ContentHash: h.ContentHash, Interactions: h.Interactions(),
			Products: h.Products, Customers: h.Customers}, o)
	}
	r, err := i.load(ctx, out, fill, nil, 0)
	if err != nil {
		return err
	}
	account := h.Account()
	r.Files, r.Format = &account, h.Format
	return out.Result(r.sentence(h.Format), r)
}
