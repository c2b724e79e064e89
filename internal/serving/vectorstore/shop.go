package vectorstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/platform/envconfig"
)

// ErrOtherShop says that what is live is another shop's.
var ErrOtherShop = errors.New("the vector database is another shop's")

// ErrOther is the refusal to let a version of a shop take the place of the live one, which is another
// shop's.
func ErrOther(live, shop string) error {
	return fmt.Errorf("%w: the shop %s is live there, and this version is of the shop %s; to keep both, give %s a "+
		"vector database of its own (PGVECTOR_DSN; connect does so by itself); to give %s up, run once with --replace-shop",
		ErrOtherShop, live, shop, shop, live)
}

// OnlyShop lets the store answer for one shop: to ask a version of another one is ErrOtherShop. Call
// it before the first question. An empty name lets it answer for whichever is live.
func (s *Store) OnlyShop(name string) { s.shop = name }

// LiveShop is the name of the shop whose version is live; empty if there is none, or if nobody knows.
func (s *Store) LiveShop(ctx context.Context) (string, error) {
	at, err := s.pointer(ctx)
	if errors.Is(err, ErrNotMigrated) || err == nil && at.live == "" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return shopOf(ctx, s.pool, at.live)
}

// owns checks that a version is of the shop that the store answers for.
func (s *Store) owns(ctx context.Context, db querier, version string) error {
	if s.shop == "" {
		return nil
	}
	of, err := shopOf(ctx, db, version)
	if err == nil && envconfig.OtherShop(of, s.shop) {
		err = fmt.Errorf("%w: version %s is of the shop %s, and SHOP_NAME is %s", ErrOtherShop, version, of, s.shop)
	}
	return err
}

// mayWrite checks that what is live is the shop's that the store answers for.
func (s *Store) mayWrite(ctx context.Context) error {
	if s.shop == "" {
		return nil
	}
	live, err := s.LiveShop(ctx)
	if err == nil && envconfig.OtherShop(live, s.shop) {
		err = fmt.Errorf("%w: the shop %s is live, and SHOP_NAME is %s", ErrOtherShop, live, s.shop)
	}
	return err
}

// shopSQL is whose the version v is; empty if nobody knows, as in a database that was not migrated
// since versions have it: as JSON, a row lacks that column without an error.
const shopSQL = `coalesce(to_jsonb(v) ->> 'shop', '')`

// shopOf reads whose a version is; empty if nobody knows.
func shopOf(ctx context.Context, db querier, version string) (string, error) {
	var shop string
	err := db.QueryRow(ctx, `SELECT `+shopSQL+` FROM kindred.model_version v WHERE version = $1`, unnamed,
		version).Scan(&shop)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) && !undefined(err) {
		return "", fmt.Errorf("read the shop of version %s: %w", version, err)
	}
	return shop, nil
}

// sameShop refuses to let move.To answer in the place of move.From if that is another shop's.
func sameShop(ctx context.Context, db querier, move Promotion) error {
	if move.From == "" {
		return nil
	}
	live, err := shopOf(ctx, db, move.From)
	if err != nil {
		return err
	}
	shop, err := shopOf(ctx, db, move.To)
	if err == nil && envconfig.OtherShop(live, shop) {
		err = ErrOther(live, shop)
	}
	return err
}
