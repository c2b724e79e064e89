package shopdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"kindred/internal/shop"
	"kindred/internal/shop/mapping"
)

// historyTables are those of contract 2, in the order in which they are filled: what products and
// customers there are is known when the interactions have been read.
var historyTables = []string{mapping.OwnInteractions, "kindred_products", "kindred_customers"}

// History is a whole shop of contract 2. Its interactions are read once, in bounded memory.
type History struct {
	Kind        string // which files it was made of
	ContentHash string // identifies the content before it is read
	// Interactions are read first; an error ends the load.
	Interactions iter.Seq2[shop.Interaction, error]
	// Products and Customers are asked for after that.
	Products  func() []shop.Listing
	Customers func() []shop.Shopper
}

// LoadHistory is Load for a shop of contract 2.
func (db *DB) LoadHistory(ctx context.Context, content History, opts Options) (Result, error) {
	result := Result{Kind: content.Kind, ContentHash: content.ContentHash}
	l := &loader{tables: historyTables, others: ratingTables, progress: opts.Progress}
	err := db.load(ctx, l, opts, &result, func(ctx context.Context) error {
		return l.fillHistory(ctx, content)
	})
	if err == nil {
		err = countHistory(ctx, db.sql, &result)
	}
	return result, db.witness.Explain(err)
}

// countHistory says what the database holds.
func countHistory(ctx context.Context, db *sql.DB, r *Result) error {
	fail := func(err error) error { return fmt.Errorf("count what the shop holds: %w", err) }
	err := db.QueryRowContext(ctx,
		"SELECT COUNT(DISTINCT customer), COUNT(DISTINCT CASE WHEN customer IS NULL THEN session END) "+
			"FROM "+historyTables[0]).Scan(&r.Customers, &r.Guests)
	if err != nil {
		return fail(err)
	}
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+historyTables[1]).Scan(&r.Products); err != nil {
		return fail(err)
	}
	//nolint:gosec // the name is a constant
	rows, err := db.QueryContext(ctx, "SELECT kind, COUNT(*) FROM "+historyTables[0]+" GROUP BY kind")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = rows.Close() }()
	r.Kinds = map[string]int{}
	for rows.Next() {
		var kind string
		var n int
		if err := rows.Scan(&kind, &n); err != nil {
			return fail(err)
		}
		r.Kinds[kind] = n
		r.Interactions += n
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return nil
}

// fillHistory fills the shadow tables.
func (l *loader) fillHistory(ctx context.Context, content History) error {
	var failed error
	interactions := func(yield func(shop.Interaction) bool) {
		for i, err := range content.Interactions {
			if failed = err; err != nil {
				return
			}
			if !yield(i) {
				return
			}
		}
	}
	const columns = " (customer, session, product, kind, value, quantity, at, order_id)"
	err := insertRows(ctx, l, historyTables[0], columns, 8, interactions, func(args []any, i shop.Interaction) []any {
		return append(args, textOrNull(i.Customer), textOrNull(i.Session), string(i.Product), string(i.Kind),
			nullable(i.Value), nullable(i.Quantity), moment(i.At), textOrNull(i.Order))
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	err = insertRows(ctx, l, historyTables[1], " (id, name, categories, brand, price, currency, available)", 7,
		slices.Values(content.Products()), func(args []any, p shop.Listing) []any {
			var categories any
			if len(p.Categories) > 0 {
				list, _ := json.Marshal(p.Categories) // a list of texts always can be
				categories = string(list)
			}
			var price any
			if p.Price != nil {
				price = p.Price.String()
			}
			return append(args, p.ID, p.Name, categories, textOrNull([]byte(p.Brand)), price, textOrNull([]byte(p.Currency)),
				p.Available)
		})
	if err != nil {
		return err
	}
	return insertRows(ctx, l, historyTables[2], " (id, country, city)", 3, slices.Values(content.Customers()),
		func(args []any, c shop.Shopper) []any {
			return append(args, c.ID, textOrNull([]byte(c.Country)), textOrNull([]byte(c.City)))
		})
}

// textOrNull is NULL for nothing.
func textOrNull(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	return string(text)
}

func moment(ms int64) any {
	if ms == shop.NoMoment {
		return nil
	}
	return time.UnixMilli(ms).UTC().Format(timeLayout + ".000")
}
