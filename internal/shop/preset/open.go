package preset

import (
	"context"
	"errors"

	"kindred/internal/shop/mapping"
	"kindred/internal/shop/shopdb"
)

// Of recognises the shop in the database that dsn names, and writes its mapping. given are variables
// by name, as in Map. Detect's, Map's and shopdb.Open's errors.
func Of(ctx context.Context, dsn string, choice Choice, given map[string]string) (m Mapping, err error) {
	db, err := shopdb.OpenSession(ctx, dsn, mapping.Session)
	if err != nil {
		return Mapping{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := Detect(ctx, db.SQL(), choice)
	if err != nil {
		return Mapping{}, err
	}
	return Map(ctx, db.SQL(), found, given)
}

// DescribeAt is Describe for the database that dsn names.
func DescribeAt(ctx context.Context, dsn string, m Mapping) (d Description, err error) {
	db, err := shopdb.OpenSession(ctx, dsn, mapping.Session)
	if err != nil {
		return Description{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return Describe(ctx, db.SQL(), m)
}
