package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Sight is a product as a person looks at it: what the live version knows of it, and what is known of it now.
type Sight struct {
	ID         string
	Name       string // empty: nobody has said it
	Brand      string
	Price      string // a decimal; empty: not known
	Currency   string
	Categories []string
	Stock      *int64
	Available  *bool // nil: nobody has said it, and the stock counts
	Hidden     bool  // it is never recommended
	Known      bool  // to the live version
	Positives  int64 // customers who like it
}

// Buyable says whether it may be recommended.
func (s Sight) Buyable() bool {
	switch {
	case s.Hidden:
		return false
	case s.Available != nil:
		return *s.Available
	}
	return s.Stock == nil || *s.Stock > 0
}

// sightSQL reads the products with the ids $1 of the live version's table item, or of the state.
func sightSQL(schema string) string {
	return `SELECT w.id, coalesce(` + nameSQL(`p`, `i`) + `, ''), coalesce(p.brand, ''), coalesce(p.price::text, ''),
			coalesce(p.currency, ''), coalesce(` + categoriesSQL(`p`, `i`) + `, '{}'),
			coalesce(p.stock, i.quantity_in_stock::bigint), p.available, coalesce(p.hidden, false), i.code IS NOT NULL,
			coalesce(i.positives, 0)::bigint
		FROM unnest($1::text[]) WITH ORDINALITY w (id, at) LEFT JOIN ` + schema + `.item i ON i.code = w.id COLLATE "C"
			LEFT JOIN kindred.product_state p ON p.id = w.id COLLATE "C"
		WHERE i.code IS NOT NULL OR p.id IS NOT NULL ORDER BY w.at`
}

// live is the schema of the live version. Errors: ErrNoLiveVersion.
func (s *Store) live(ctx context.Context) (*model, error) {
	at, err := s.pointer(ctx)
	if err != nil {
		return nil, err
	}
	if at.live == "" {
		return nil, ErrNoLiveVersion
	}
	return s.model(ctx, at.live)
}

// Look returns the products with these ids, in their order. Those that neither the live version nor the state
// knows are left out. Errors: ErrNoLiveVersion.
func (s *Store) Look(ctx context.Context, ids []string) ([]Sight, error) {
	m, err := s.live(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at products: %w", err)
	}
	rows, err := s.pool.Query(ctx, sightSQL(m.schema), ids)
	if err != nil {
		return nil, fmt.Errorf("look at products: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Sight])
	if err != nil {
		return nil, fmt.Errorf("look at products: %w", err)
	}
	return found, nil
}

// FindProducts looks for products whose id is the text, or whose name has it, whatever the case; the most
// liked come first. An empty text finds the most liked ones. It compares all names: a second for a million.
// Errors: ErrNoLiveVersion.
func (s *Store) FindProducts(ctx context.Context, text string, limit int) ([]Sight, error) {
	m, err := s.live(ctx)
	if err != nil {
		return nil, fmt.Errorf("find products: %w", err)
	}
	rows, err := s.pool.Query(ctx, `SELECT id FROM (
			(SELECT code AS id, positives, code = $1 AS exact FROM `+m.schema+`.item
				WHERE code = $1 OR strpos(lower(name), lower($1)) > 0 ORDER BY (code = $1) DESC, positives DESC, code LIMIT $2)
			UNION (SELECT id, 0, id = $1 FROM kindred.product_state
				WHERE (id = $1 OR strpos(lower(name), lower($1)) > 0) AND $1 <> '' ORDER BY (id = $1) DESC, id LIMIT $2)) f
		GROUP BY id ORDER BY bool_or(exact) DESC, max(positives) DESC, id LIMIT $2`, text, limit)
	if err != nil {
		return nil, fmt.Errorf("find products: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find products: %w", err)
	}
	return s.Look(ctx, ids)
}

// SomeCustomers lists the ids of customers that the live version knows and whose ids begin with the text, in their
// order. A version that programs of before commit 7ca8cf2 loaded has none that can be listed. Errors:
// ErrNoLiveVersion.
func (s *Store) SomeCustomers(ctx context.Context, text string, limit int) ([]string, error) {
	m, err := s.live(ctx)
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	if m.form != formDense {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT id FROM `+m.schema+`.customer WHERE id BETWEEN $1 AND $1 || chr(1114111)
		ORDER BY id LIMIT $2`, text, limit)
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	return ids, nil
}

// Past is what a customer did with a product, as the live version knows it.
type Past struct {
	Product string
	Last    *time.Time // nil: not known
	Count   int
}

// CustomerPast lists what the live version knows that a customer did, the newest first, and how much it is in
// all. known is false when the version does not know the customer. A version that programs of before commit
// 7ca8cf2 loaded has no past that can be read. Errors: ErrNoLiveVersion.
func (s *Store) CustomerPast(ctx context.Context, customer string, limit int) (past []Past, total int, known bool,
	err error) {
	m, err := s.live(ctx)
	if err != nil {
		return nil, 0, false, fmt.Errorf("look at a customer: %w", err)
	}
	if m.form != formDense {
		return nil, 0, false, nil
	}
	var key int32
	err = s.pool.QueryRow(ctx, `SELECT key FROM `+m.schema+`.customer WHERE id = $1`, customer).Scan(&key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, false, nil
	}
	if err == nil {
		err = s.pool.QueryRow(ctx, `SELECT count(*) FROM `+m.schema+`.rated WHERE customer = $1`, key).Scan(&total)
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("look at a customer: %w", err)
	}
	rows, err := s.pool.Query(ctx, `SELECT i.code, r.last, r.count FROM `+m.schema+`.rated r JOIN `+m.schema+`.item i
		ON i.key = r.item WHERE r.customer = $1 ORDER BY r.last DESC NULLS LAST, i.code LIMIT $2`, key, limit)
	if err != nil {
		return nil, 0, false, fmt.Errorf("look at a customer: %w", err)
	}
	past, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Past])
	if err != nil {
		return nil, 0, false, fmt.Errorf("look at a customer: %w", err)
	}
	return past, total, true, nil
}
