package etl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop/mysqlsource"
)

// ErrOtherShop means that a lake holds the training sets of another shop.
var ErrOtherShop = errors.New("the lake is another shop's")

// name is the shop's: the one that was given, else its database's.
func (o Options) name(database string) string { return envconfig.Shop{Name: o.Shop}.Of(database) }

// predecessor is the set that a shop's columns and rows are compared with: base, the current one. A
// set of another shop is refused, or with ReplaceShop it is no predecessor. Errors: ErrOtherShop.
func predecessor(base commit.Manifest, database string, o Options) (commit.Manifest, error) {
	other := otherShop(base, database, o.name(database))
	switch {
	case other == "":
		return base, nil
	case o.ReplaceShop:
		return commit.Manifest{}, nil
	}
	name := o.name(database)
	return base, fmt.Errorf("%w: its current training set is of the shop %s, and this is the shop %s; to keep both, "+
		"give %s a lake, artifacts and a vector database of its own (such as LAKE_BUCKET=s3://bucket/%s; connect does so by "+
		"itself); if both are one shop, run with --name %s; to give %s up, run once with --replace-shop",
		ErrOtherShop, other, name, name, name, other, other)
}

// otherShop names the shop of a set if it is not the named one, which has that database. A set
// without a name is of an earlier program: it belongs to whoever reads the same database, or has
// its name.
func otherShop(base commit.Manifest, database, name string) string {
	if base.Run == "" {
		return ""
	}
	if of := trainingset.ShopOf(base); of != "" {
		if of == name {
			return ""
		}
		return of
	}
	var at mysqlsource.Position
	if len(base.Source) == 0 || json.Unmarshal(base.Source, &at) != nil || at.Database == "" || at.Database == database {
		return ""
	}
	if of := envconfig.ShopName(at.Database); of != name {
		return of
	}
	return ""
}

// OtherShop names the shop whose training sets a lake holds, if it is not the named one, which has
// that database. It is empty for a lake that is this shop's, or nobody's yet.
func OtherShop(ctx context.Context, lake envconfig.Lake, database, name string) (string, error) {
	repo, err := openRepository(ctx, lake)
	if err != nil {
		return "", err
	}
	base, err := current(ctx, repo)
	return otherShop(base, database, name), err
}
