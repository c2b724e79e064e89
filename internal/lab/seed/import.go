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
	Folder string `arg:"" help:"Folder with u.data + u.item, ratings.csv + movies.csv, or customers.csv + products.csv + ratings.csv."`
}

// Run loads the folder's data. There is no planted truth then, so an earlier shop's is removed from the lake.
func (i *Import) Run(ctx context.Context, out *program.Output) error {
	data, err := importer.Read(i.Folder)
	if errors.Is(err, importer.ErrUnknownFolder) {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return err
	}
	content := shopdb.Content{Kind: data.Kind, Customers: data.Customers, Products: data.Products,
		Ratings: slices.Values(data.Ratings)}
	r, err := i.load(ctx, out, content, nil, len(data.Customers)+len(data.Products)+len(data.Ratings))
	if err != nil {
		return err
	}
	r.Duplicates, r.Orphans = data.Duplicates, data.Orphans
	return out.Result(r.sentence(data.Format), r)
}
