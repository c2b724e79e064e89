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
)

// Order is where a value stands in the order of all writes of its field: by time, in microseconds,
// then by the sequence number that a stream gave its event, then by the event's number within an
// aggregated record. A value stays until one that comes later is written: writes may arrive in any
// order, and more than once. Two different values of a field must not have equal orders.
type Order struct {
	At       time.Time
	Sequence string // decimal, without leading zeros; empty: none, before all others. Kinesis has up to 129 digits
	Sub      int64
}

// After reports whether o comes later than other.
func (o Order) After(other Order) bool {
	return cmp.Or(cmp.Compare(o.At.UnixMicro(), other.At.UnixMicro()), cmp.Compare(len(o.Sequence), len(other.Sequence)),
		strings.Compare(o.Sequence, other.Sequence), cmp.Compare(o.Sub, other.Sub)) > 0
}

// MarshalJSON writes [microseconds, sequence number, number within the record]. As jsonb, PostgreSQL
// compares such lists as After does.
func (o Order) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{o.At.UnixMicro(), json.Number(cmp.Or(o.Sequence, "0")), o.Sub})
}

// Field is a column of product_state that has an order of its own.
type Field string

// The fields of a product, with the Go type of their values. A nil value is not known.
const (
	FieldAvailable  Field = "available"  // bool: whether it can be bought. Stock is written with it
	FieldStock      Field = "stock"      // int64; nil: not counted
	FieldHidden     Field = "hidden"     // bool: it is not to be recommended, even if it can be bought
	FieldPrice      Field = "price"      // string: a decimal number with at most four places
	FieldCurrency   Field = "currency"   // string, as all that follow but two
	FieldCategories Field = "categories" // []string
	FieldBrand      Field = "brand"
	FieldName       Field = "name"
	FieldURL        Field = "url"
	FieldImage      Field = "image"
	FieldAttributes Field = "attributes" // map[string]any: texts, numbers and flags
)

// Fields are all fields. A catalogue's digest has them in this order: add at the end.
func Fields() []Field {
	return []Field{FieldAvailable, FieldStock, FieldHidden, FieldPrice, FieldCurrency, FieldCategories, FieldBrand,
		FieldName, FieldURL, FieldImage, FieldAttributes}
}

// ProductWrite says the values of some fields of a product.
type ProductWrite struct {
	ID     string
	Order  Order
	Values map[Field]any
}

// writtenAtOnce is how many products a statement writes.
const writtenAtOnce = 1000

// WriteProducts merges writes into product_state, and returns how many products it changed. A value
// that was written by a later order stays. It locks products in the order of their ids, so that
// writers do not wait for each other in a circle.
func WriteProducts(ctx context.Context, tx pgx.Tx, writes []ProductWrite) (changed int, err error) {
	rows := rowsOf(writes)
	statement := writeProductsSQL()
	for part := range slices.Chunk(rows, writtenAtOnce) {
		data, err := json.Marshal(part)
		if err != nil {
			return changed, fmt.Errorf("encode products: %w", err)
		}
		tag, err := tx.Exec(ctx, statement, string(data))
		if err != nil {
			return changed, fmt.Errorf("write %d products: %w", len(part), unmigrated(err))
		}
		changed += int(tag.RowsAffected())
	}
	return changed, nil
}

// productRow is a row of product_state as the statement takes it: its fields, and these.
type productRow struct {
	id          string
	values      map[Field]any
	written     map[Field]Order
	first, last time.Time
}

// everyField is the entry of column written for all fields that have none of their own.
const everyField Field = ""

// orders is the column written. Of a product that was written whole, one entry stands for all.
func (r productRow) orders() map[Field]Order {
	one := r.written[FieldAvailable]
	for _, f := range Fields() {
		if order, said := r.written[f]; !said || order.After(one) || one.After(order) {
			return r.written
		}
	}
	return map[Field]Order{everyField: one}
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
func rowsOf(writes []ProductWrite) []productRow {
	at := make(map[string]int, len(writes))
	var rows []productRow
	for _, w := range writes {
		i, known := at[w.ID]
		if !known {
			i = len(rows)
			at[w.ID] = i
			rows = append(rows, productRow{w.ID, map[Field]any{}, map[Field]Order{}, w.Order.At, w.Order.At})
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
	types := map[Field]string{FieldAvailable: "boolean", FieldStock: "bigint", FieldHidden: "boolean",
		FieldPrice:      "numeric",
		FieldCategories: "text[]", FieldAttributes: "jsonb"}
	// The order of a field, which f names as SQL, in the row that is written and in the one that is there.
	order := func(row, f string) string {
		return fmt.Sprintf(`coalesce(%[1]s.written -> %[2]s, %[1]s.written -> '')`, row, f)
	}
	later := func(f string) string {
		return fmt.Sprintf(`coalesce(%[1]s > %[2]s, %[1]s IS NOT NULL)`, order("excluded", f), order("s", f))
	}
	var names, quoted, columns, values, updates []string
	for _, f := range Fields() {
		name, value := string(f), "n."+string(f)
		if f == FieldHidden {
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
