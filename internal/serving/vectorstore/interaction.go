package vectorstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// ErrMayNotWrite says that the database role may not write state.
var ErrMayNotWrite = errors.New("the database role may not write state: run `publish migrate --writer ROLE` for it")

// WriteState adds what customers bought and what is said of products, as one transaction. What was
// written before, in whatever order, changes nothing. Errors: ErrNotMigrated, ErrMayNotWrite, and a
// *recommend.RefusedError. A store of one shop writes nothing while another shop's version is live:
// ErrOtherShop.
func (s *Store) WriteState(ctx context.Context, purchases []recommend.Purchase,
	products []activity.ProductWrite) error {
	columns, err := columnsOf(purchases)
	if err != nil {
		return err
	}
	if err := s.mayWrite(ctx); err != nil {
		return err
	}
	if len(products) == 0 { // a single statement takes a single round trip
		_, err = s.pool.Exec(ctx, writePurchasesSQL, columns...)
	} else {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := WriteProducts(ctx, tx, products); err != nil || len(purchases) == 0 {
				return err
			}
			_, err := tx.Exec(ctx, writePurchasesSQL, columns...)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("write %d purchases and %d products: %w", len(purchases), len(products), writeFault(err))
	}
	return nil
}

// The rows come in the order of their keys, so that two writers do not wait for each other in a circle.
const writePurchasesSQL = `INSERT INTO kindred.interaction AS i (customer, session, product, kind, place)
	SELECT customer, session, product, 'purchase', place::jsonb FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
		AS n (customer, session, product, place)
	ON CONFLICT (customer, session, product) DO UPDATE SET place = excluded.place WHERE excluded.place < i.place`

// keptPurchases is how long a purchase of an event hides its product. A model that was trained since
// knows it from the shop's own orders.
const keptPurchases = 90 * 24 * time.Hour

// prunePurchases deletes purchases that are older.
func (s *Store) prunePurchases(ctx context.Context, now time.Time) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM kindred.interaction WHERE (place ->> 0)::bigint < $1`,
		now.Add(-keptPurchases).UnixMicro())
	if err != nil {
		return fmt.Errorf("delete purchases of more than 90 days ago: %w", unmigrated(err))
	}
	return nil
}

// columnsOf sorts purchases by their keys, each key once with its earliest place, and turns them into
// columns.
func columnsOf(purchases []recommend.Purchase) ([]any, error) {
	key := func(a, b recommend.Purchase) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Session, b.Session),
			cmp.Compare(a.Product, b.Product))
	}
	sorted := slices.SortedFunc(slices.Values(purchases), func(a, b recommend.Purchase) int {
		if c := key(a, b); c != 0 {
			return c
		}
		if a.Order.After(b.Order) {
			return 1
		}
		return -1
	})
	var customers, sessions, products, places []string
	for i, p := range sorted {
		if i > 0 && key(sorted[i-1], p) == 0 {
			continue
		}
		place, err := json.Marshal(p.Order)
		if err != nil {
			return nil, fmt.Errorf("encode the place of a purchase: %w", err)
		}
		customers, sessions = append(customers, p.Customer), append(sessions, p.Session)
		products, places = append(products, p.Product), append(places, string(place))
	}
	return []any{customers, sessions, products, places}, nil
}

// writeFault names what is special about an error of writing state.
func writeFault(err error) error {
	var state *pgconn.PgError
	if errors.As(err, &state) && state.Code == "42501" { // insufficient_privilege
		return ErrMayNotWrite
	}
	if undefined(err) {
		return ErrNotMigrated
	}
	return questionFault(err, "")
}

// boughtSQL asks what customers bought of the version's products.
func (m *model) boughtSQL() string {
	repeat := `0::bigint`
	if m.repeat {
		repeat = `i.repeat`
	}
	const bought = `SELECT b.customer, b.product, b.place, `
	fresh := `` // what the version does not know stays hidden
	if m.state.newItems {
		fresh = ` UNION ALL ` + bought + `0 FROM kindred.interaction b JOIN ` + m.schema +
			`.new_item n ON n.code = b.product WHERE b.customer = ANY($1)`
	}
	return bought + repeat + ` FROM kindred.interaction b
		JOIN ` + m.schema + `.item i ON i.code = b.product WHERE b.customer = ANY($1)` + fresh
}

// queueBought adds the question to a batch; found gets the answers.
func (m *model) queueBought(batch *pgx.Batch, customers []string, found map[string][]recommend.Bought) {
	batch.Queue(m.boughtSQL(), customers).Query(func(rows pgx.Rows) error {
		var customer string
		var b recommend.Bought
		var place []byte
		_, err := pgx.ForEachRow(rows, []any{&customer, &b.Product, &place, &b.Repeat}, func() error {
			b.Order = activity.Order{}
			if err := b.Order.UnmarshalJSON(place); err != nil {
				return err
			}
			found[customer] = append(found[customer], b)
			return nil
		})
		return err
	})
}

// repeatColumn is the definition of a column of table item: what becomes of a product that a customer
// has bought, in the form of modelversion.Repeat. Versions without rules do not have it.
func repeatColumn(v *modelversion.Version) string {
	if v.Repeats == nil {
		return ""
	}
	return `, repeat bigint NOT NULL`
}
