package vectorstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/stream/activity"
)

// writtenAtOnce is how many products a statement writes.
const writtenAtOnce = 1000

// WriteProducts merges writes into product_state, and returns how many products it changed. A value
// that was written by a later order stays. It locks products in the order of their ids, so that
// writers do not wait for each other in a circle.
func WriteProducts(ctx context.Context, tx pgx.Tx, writes []activity.ProductWrite) (changed int, err error) {
	statement := writeProductsSQL()
	err = inParts(writes, func(rows int, data string) error {
		tag, err := tx.Exec(ctx, statement, data)
		if err != nil {
			return fmt.Errorf("write %d products: %w", rows, unmigrated(err))
		}
		changed += int(tag.RowsAffected())
		return nil
	})
	return changed, err
}

// inParts calls write with the rows of products as writeProductsSQL takes them: how many, as a JSON list.
func inParts(writes []activity.ProductWrite, write func(rows int, data string) error) error {
	for part := range slices.Chunk(rowsOf(writes), writtenAtOnce) {
		data, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("encode products: %w", err)
		}
		if err := write(len(part), string(data)); err != nil {
			return err
		}
	}
	return nil
}

// productRow is a row of product_state as the statement takes it: its fields, and these.
type productRow struct {
	id          string
	values      map[activity.Field]any
	written     map[activity.Field]activity.Order
	first, last time.Time
}

// everyField is the entry of column written for all fields that have none of their own.
const everyField activity.Field = ""

// orders is the column written. Of a product that was written whole, one entry stands for all.
func (r productRow) orders() map[activity.Field]activity.Order {
	one := r.written[activity.FieldAvailable]
	for _, f := range activity.Fields() {
		if order, said := r.written[f]; !said || order.After(one) || one.After(order) {
			return r.written
		}
	}
	return map[activity.Field]activity.Order{everyField: one}
}

// MarshalJSON writes one flat object.
func (r productRow) MarshalJSON() ([]byte, error) {
	row := map[string]any{"id": r.id, "written": r.orders(), "first_seen": r.first, "changed": r.last}
	for f, value := range r.values {
		if value != nil {
			row[string(f)] = value
		}
	}
	return json.Marshal(row)
}

// rowsOf joins the writes of each product, sorted by id.
func rowsOf(writes []activity.ProductWrite) []productRow {
	at := make(map[string]int, len(writes))
	var rows []productRow
	for _, w := range writes {
		i, known := at[w.ID]
		if !known {
			i = len(rows)
			at[w.ID] = i
			rows = append(rows, productRow{w.ID, map[activity.Field]any{}, map[activity.Field]activity.Order{}, w.Order.At,
				w.Order.At})
		}
		row := &rows[i]
		for f, value := range w.Values {
			if before, said := row.written[f]; !said || w.Order.After(before) {
				row.values[f], row.written[f] = value, w.Order
			}
		}
		if w.Order.At.Before(row.first) {
			row.first = w.Order.At
		}
		if w.Order.At.After(row.last) {
			row.last = w.Order.At
		}
	}
	slices.SortFunc(rows, func(a, b productRow) int { return strings.Compare(a.id, b.id) })
	return rows
}

// writeProductsSQL merges rows, a JSON list, into the table.
func writeProductsSQL() string {
	types := map[activity.Field]string{activity.FieldAvailable: "boolean", activity.FieldStock: "bigint",
		activity.FieldHidden:     "boolean",
		activity.FieldPrice:      "numeric",
		activity.FieldCategories: "text[]", activity.FieldAttributes: "jsonb"}
	// The order of a field, which f names as SQL, in the row that is written and in the one that is there.
	order := func(row, f string) string {
		return fmt.Sprintf(`coalesce(%[1]s.written -> %[2]s, %[1]s.written -> '')`, row, f)
	}
	later := func(f string) string {
		return fmt.Sprintf(`coalesce(%[1]s > %[2]s, %[1]s IS NOT NULL)`, order("excluded", f), order("s", f))
	}
	var names, quoted, columns, values, updates []string
	for _, f := range activity.Fields() {
		name, value := string(f), "n."+string(f)
		if f == activity.FieldHidden {
			value = "coalesce(n.hidden, false)"
		}
		names, quoted, values = append(names, name), append(quoted, "'"+name+"'"), append(values, value)
		columns = append(columns, name+" "+cmp.Or(types[f], "text"))
		updates = append(updates, fmt.Sprintf(`%[1]s = CASE WHEN %[2]s THEN excluded.%[1]s ELSE s.%[1]s END`, name,
			later("'"+name+"'")))
	}
	list := func(parts []string) string { return strings.Join(parts, ", ") }
	laterOnes := `FROM unnest(ARRAY[` + list(quoted) + `]) f WHERE ` + later("f")
	return `INSERT INTO kindred.product_state AS s (id, ` + list(names) + `, first_seen, changed, written)
		SELECT n.id, ` + list(values) + `, n.first_seen, n.changed, n.written FROM jsonb_to_recordset($1::text::jsonb)
			AS n (id text, ` + list(columns) + `, first_seen timestamptz, changed timestamptz, written jsonb) ORDER BY n.id COLLATE "C"
		ON CONFLICT (id) DO UPDATE SET ` + list(updates) + `, first_seen = least(s.first_seen, excluded.first_seen),
			changed = greatest(s.changed, excluded.changed),
			written = s.written || (SELECT coalesce(jsonb_object_agg(f, ` + order("excluded", "f") + `), '{}') ` + laterOnes + `)
		WHERE excluded.first_seen < s.first_seen OR excluded.changed > s.changed OR EXISTS (SELECT ` + laterOnes + `)`
}
