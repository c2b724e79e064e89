package vectorstore

import (
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

// WriteState adds what events say, as one transaction in one round trip. What was written before, in
// whatever order, changes nothing. Errors: ErrNotMigrated, ErrMayNotWrite, and a *recommend.RefusedError.
// A store of one shop writes nothing while another shop's version is live: ErrOtherShop.
func (s *Store) WriteState(ctx context.Context, state recommend.State) error {
	var batch pgx.Batch // one transaction
	if err := inParts(state.Products, func(_ int, data string) error {
		queue(&batch, writeProductsSQL(), data)
		return nil
	}); err != nil {
		return err
	}
	if len(state.Customers) > 0 {
		if err := queueCustomers(&batch, state.Customers); err != nil {
			return err
		}
	}
	if len(state.Purchases) > 0 {
		columns, err := columnsOf(state.Purchases)
		if err != nil {
			return err
		}
		queue(&batch, writePurchasesSQL, columns...)
	}
	if len(state.Visits) > 0 {
		if err := queueVisits(&batch, state.Visits); err != nil {
			return err
		}
	}
	if err := s.mayWrite(ctx); err != nil {
		return err
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("write what events say: %w", writeFault(err))
	}
	return nil
}

// The rows come in the order of their keys, so that two writers do not wait for each other in a circle. Of
// a key, the earliest one counts that is not forgotten.
var writePurchasesSQL = `INSERT INTO kindred.interaction AS i (customer, session, product, kind, place, said)
	SELECT DISTINCT ON (customer, session, product) customer, session, product, 'purchase', place::jsonb, said::jsonb
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n (customer, session, product, place, said)
		WHERE NOT ` + forgottenSQL(`n.customer`, `coalesce(n.said, n.place)::jsonb`) + `
		ORDER BY customer, session, product, place::jsonb
	ON CONFLICT (customer, session, product) DO UPDATE SET place = excluded.place, said = excluded.said
		WHERE excluded.place < i.place`

// keptPurchases is how long a purchase of an event hides its product. A model that was trained since
// knows it from the shop's own orders.
const keptPurchases = 90 * 24 * time.Hour

// prunePurchases deletes purchases that are older.
func (s *Store) prunePurchases(ctx context.Context, now time.Time) error {
	err := s.deletePortions(ctx, `DELETE FROM kindred.interaction WHERE ctid = ANY(ARRAY(SELECT ctid FROM kindred.interaction
		WHERE (place ->> 0)::bigint < $2 LIMIT $1))`, now.Add(-keptPurchases).UnixMicro())
	if err != nil {
		return fmt.Errorf("delete purchases of more than 90 days ago: %w", unmigrated(err))
	}
	return nil
}

// forgottenAtOnce is of how many customers one transaction deletes what is left.
const forgottenAtOnce = 1_000

// pruneForgotten deletes what two transactions at the same moment have left of customers who are forgotten.
func (s *Store) pruneForgotten(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT customer FROM kindred.customer_state WHERE field = $1`, recommend.FieldForgotten)
	if err != nil {
		return fmt.Errorf("list forgotten customers: %w", unmigrated(err))
	}
	customers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list forgotten customers: %w", unmigrated(err))
	}
	for part := range slices.Chunk(customers, forgottenAtOnce) {
		var batch pgx.Batch
		queueForgetting(&batch, part)
		if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("delete what is forgotten: %w", err)
		}
	}
	return nil
}

// columnsOf turns purchases into columns.
func columnsOf(purchases []recommend.Purchase) ([]any, error) {
	var customers, sessions, products, places []string
	var said []*string
	for _, p := range purchases {
		place, err := json.Marshal(p.Order)
		if err != nil {
			return nil, fmt.Errorf("encode the place of a purchase: %w", err)
		}
		var when *string
		if p.When() != p.Order {
			data, err := json.Marshal(p.Said)
			if err != nil {
				return nil, fmt.Errorf("encode the order of a purchase: %w", err)
			}
			when = new(string(data))
		}
		customers, sessions = append(customers, p.Customer), append(sessions, p.Session)
		products, places, said = append(products, p.Product), append(places, string(place)), append(said, when)
	}
	return []any{customers, sessions, products, places, said}, nil
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
	kept := ``
	if m.state.customers {
		kept = ` AND NOT ` + forgottenSQL(`b.customer`, `coalesce(b.said, b.place)`)
	}
	const bought = `SELECT b.customer, b.product, b.place, `
	fresh := `` // what the version does not know stays hidden
	if m.state.newItems {
		fresh = ` UNION ALL ` + bought + `0 FROM kindred.interaction b JOIN ` + m.schema +
			`.new_item n ON n.code = b.product WHERE b.customer = ANY($1)` + kept
	}
	return bought + repeat + ` FROM kindred.interaction b
		JOIN ` + m.schema + `.item i ON i.code = b.product WHERE b.customer = ANY($1)` + kept + fresh
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
