package vectorstore

import (
	"context"
	"fmt"
	"maps"

	"kindred/internal/platform/text"
)

// form is how a version's tables hold ids. It is fixed when the version is loaded, and both are
// read.
type form string

const (
	// formDense: customer and item hold each id once, as text, with a number; rated holds the numbers.
	formDense form = "dense"
	// formNumbered is that of programs until commit 7ca8cf2: customers are integers, and rated repeats
	// the products' codes.
	formNumbered form = "numbered"
)

// tables is what the schema of a version must hold; near: it has neighbours; newItems: it gives vectors to
// products that it does not know; together: it knows what is bought together.
func (f form) tables(near, newItems, together bool) columns {
	if f == formNumbered {
		return columns{
			"item":     {"code", "name", "line", "quantity_in_stock", "positives", "origin", "embedding"},
			"customer": {"number", "origin", "embedding"},
			"rated":    {"customer", "code"},
		}
	}
	all := columns{
		"item":     {"key", "code", "name", "line", "quantity_in_stock", "positives", "origin", "embedding"},
		"customer": {"key", "id", "origin", "embedding"},
		"rated":    {"customer", "item", "last", "count"},
	}
	if near {
		all["near_item"], all["near_customer"] = []string{"key", "items", "weights"}, []string{"key", "items", "weights"}
	}
	if together {
		all["together"] = []string{"key", "items", "weights"}
	}
	maps.Copy(all, newItemsOf(newItems))
	return all
}

// keys are the indexes that enforce the tables' keys, as damage names them.
func (f form) keys(near bool) []string {
	if f == formNumbered {
		return []string{"item btree text_ops", "customer btree int4_ops", "rated btree int4_ops"}
	}
	all := []string{"item btree text_ops", "customer btree text_ops", "rated btree int4_ops"}
	if near {
		all = append(all, "item btree int4_ops", "near_item btree int4_ops", "near_customer btree int4_ops")
	}
	return all
}

// customerID is the column of table customer, as text.
func (f form) customerID() string {
	if f == formNumbered {
		return `(number::text COLLATE "C")`
	}
	return "id"
}

// numberedSQL is whether a version's customers have numbers, for its schema as SQL. It takes no rights on the
// version's tables.
func numberedSQL(schema string) string {
	return `EXISTS (SELECT FROM pg_attribute WHERE attname = 'number' AND NOT attisdropped AND attrelid =
		(SELECT oid FROM pg_class WHERE relname = 'customer' AND relnamespace =
			(SELECT oid FROM pg_namespace WHERE nspname = ` + schema + `)))`
}

// formOf looks at a version's tables.
func formOf(ctx context.Context, db querier, schema string) (form, error) {
	var numbered bool
	if err := db.QueryRow(ctx, `SELECT `+numberedSQL(`$1`), unnamed, schema).Scan(&numbered); err != nil {
		return "", fmt.Errorf("look at schema %s: %w", schema, err)
	}
	return formIf(numbered), nil
}

func formIf(numbered bool) form {
	if numbered {
		return formNumbered
	}
	return formDense
}

// number is the integer that a version with numbers has for an id; false: it has none.
func number(id string) (int32, bool) {
	n, whole := text.Integer(id)
	return int32(n), whole && int64(int32(n)) == n
}

// customersSQL asks for customers by id, with the argument that it takes.
func (m *model) customersSQL(ids []string) (sql string, arg any) {
	if m.near != nil {
		return `SELECT c.id, c.origin, c.embedding, n.items, n.weights FROM ` + m.schema +
			`.customer c LEFT JOIN ` + m.schema +
			`.near_customer n ON n.key = c.key WHERE c.id = ANY($1)`, ids
	}
	from := `, origin, embedding, NULL::integer[], NULL::real[] FROM ` + m.schema + `.customer WHERE `
	if m.form != formNumbered {
		return `SELECT id` + from + `id = ANY($1)`, ids
	}
	numbers := make([]int32, 0, len(ids))
	for _, id := range ids {
		if n, fits := number(id); fits {
			numbers = append(numbers, n)
		}
	}
	return `SELECT number::text` + from + `number = ANY($1)`, numbers
}

// excludedNumbered is excludedSQL for numbered tables.
func (m *model) excludedNumbered(customer *string, indexed bool) (condition string, arg any) {
	left := ` AND i.code NOT IN (SELECT unnest($1::text[])`
	if indexed {
		left = ` AND i.code <> ALL ($1)`
	}
	known := false
	if customer != nil {
		if arg, known = number(*customer); !known {
			arg = nil
		}
	}
	switch rated := m.schema + `.rated r WHERE r.customer = $2`; {
	case known && indexed:
		left += ` AND NOT EXISTS (SELECT 1 FROM ` + rated + ` AND r.code = i.code)`
	case known:
		left += ` UNION ALL SELECT r.code FROM ` + rated + `)`
	case !indexed:
		left += `)`
	}
	return left, arg
}
