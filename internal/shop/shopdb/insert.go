package shopdb

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"kindred/internal/shop"
)

// batchRows of one INSERT: some 60 KB, far below max_allowed_packet's smallest default (16 MiB on
// MariaDB), and beyond it more rows gain nothing measurable.
const batchRows = 1_000

// batchesPerCommit bounds the undo log; nobody reads the shadow tables, so where they are committed
// does not matter.
const batchesPerCommit = 50

// timeLayout is a MySQL datetime without fraction.
const timeLayout = "2006-01-02 15:04:05"

// insertAll fills the shadow tables.
func (l *loader) insertAll(ctx context.Context, content Content) error {
	err := insertRows(ctx, l, "customers", "", 7, slices.Values(content.Customers),
		func(args []any, c shop.Customer) []any {
			return append(args, c.ID, c.Name, c.City, nullable(c.State), nullable(c.PostalCode), c.Country,
				nullable(c.CreditLimit))
		})
	if err != nil {
		return err
	}
	err = insertRows(ctx, l, "products", "", 8, slices.Values(content.Products), func(args []any, p shop.Product) []any {
		return append(args, p.Code, p.Name, p.Line, p.Scale, p.Vendor, p.QuantityInStock, p.BuyPrice.String(),
			p.MSRP.String())
	})
	if err != nil {
		return err
	}
	return insertRows(ctx, l, "ratings", "", 4, content.Ratings, func(args []any, r shop.Rating) []any {
		var at any
		if r.RatedAt != nil {
			at = r.RatedAt.UTC().Format(timeLayout)
		}
		return append(args, r.CustomerID, r.ProductCode, r.Stars, at)
	})
}

// nullable turns an absent value into NULL and an amount into its decimal.
func nullable[T any](v *T) any {
	if v == nil {
		return nil
	}
	if cents, ok := any(*v).(shop.Cents); ok {
		return cents.String()
	}
	return *v
}

// insertRows writes rows to a shadow table in multi-row inserts, to the columns that names lists;
// without names to all. appendArgs adds the columns of one row.
func insertRows[T any](ctx context.Context, l *loader, table, names string, columns int, rows iter.Seq[T],
	appendArgs func([]any, T) []any) error {
	insert := "INSERT INTO " + shadow(table) + names + " VALUES "
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	full := insert + strings.TrimSuffix(strings.Repeat(row+",", batchRows), ",")
	var args []any
	n, batches := 0, 0
	flush := func() error {
		query := full
		if n < batchRows {
			query = insert + strings.TrimSuffix(strings.Repeat(row+",", n), ",")
		}
		if batches%batchesPerCommit == 0 {
			if err := l.exec(ctx, "START TRANSACTION"); err != nil { // commits the one before
				return fmt.Errorf("begin load of %s: %w", table, err)
			}
		}
		batches++
		if err := l.exec(ctx, query, args...); err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		if l.progress != nil {
			l.progress(n)
		}
		args, n = args[:0], 0
		return nil
	}
	for r := range rows {
		args = appendArgs(args, r)
		if n++; n == batchRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if n > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	if err := l.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit %s: %w", table, err)
	}
	return nil
}
