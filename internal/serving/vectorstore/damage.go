package vectorstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// columns are the columns of tables, in their order, by the table's name.
type columns map[string][]string

// registry is what schema kindred must hold. A migration that is newer than this program may have
// added columns at the end.
var registry = columns{
	"model_version": {"version", "state", "training_run", "trainer_version", "trained_at", "dim", "solver",
		"gram", "encoder", "report", "items", "customers", "rated", "index_kind", "started_at", "loaded_at", "ef_search",
		"recall", "similar_recall", "shop"},
	"live": {"one", "version", "previous", "moved_at", "canary", "canary_share", "moves", "experiment",
		"placements", "placements_experiment"},
	"promotion":       {"id", "at", "actor", "action", "from_version", "to_version", "reason", "share"},
	"placements":      {"version", "rules", "added_at"},
	"placements_move": {"id", "at", "actor", "action", "from_version", "to_version", "reason"},
	"reader":          {"role", "admitted_at", "writes"},
	"canary_error":    {"at", "version", "moves", "reason"},
	"product_state": {"id", "available", "hidden", "stock", "price", "currency", "categories", "brand", "name",
		"url", "image", "attributes", "first_seen", "changed", "written", "transaction"},
	"catalogue":         {"one", "shop", "read_at", "products", "available", "generation"},
	"catalogue_product": {"id", "digest"},
	"interaction":       {"customer", "session", "product", "kind", "place", "said"},
	"customer_state":    {"customer", "field", "product", "value", "written"},
	"experiment": {"name", "control", "treatment", "share", "outcome", "error_rate", "max_visitors", "actor", "reason",
		"started_at", "ended_at", "decision", "why", "revenue_cap", "compares"},
	"exposure":    {"experiment", "visitor", "arm"},
	"trend":       {"product", "lately", "usually"},
	"trend_event": {"event", "at"},
	"visit":       {"session", "event", "customer", "products", "kinds", "place", "said"},
}

// markOf is the comment on the tables of a version, so that a schema under another's name is noticed.
// Migration 3 writes it too.
func markOf(version string) string { return "kindred model version " + version }

// CheckRegistry looks whether the tables of the registry have their columns. Errors: ErrDamaged.
func CheckRegistry(ctx context.Context, tx pgx.Tx) error {
	faults, err := lacking(ctx, tx, "kindred", registry, "")
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%w: %s; restore schema kindred from a backup and run `publish migrate`, or drop it "+
			"(DROP SCHEMA kindred CASCADE) and publish again, which loses the history", ErrDamaged, strings.Join(faults, "; "))
	}
	return err
}

// lacking compares the tables of a schema with what they must be. It names each table that is
// missing, that has other columns, or that carries another mark than the given one. A table without
// any mark is of an older program, and right.
func lacking(ctx context.Context, db querier, schema string, want columns, mark string) (faults []string, err error) {
	rows, err := db.Query(ctx, `SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''), array_agg(a.attname::text ORDER BY a.attnum)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND c.relname = ANY($2) GROUP BY c.oid`,
		unnamed, schema, slices.Collect(maps.Keys(want)))
	if err != nil {
		return nil, fmt.Errorf("look at schema %s: %w", schema, err)
	}
	found := columns{}
	var table, comment string
	var names []string
	_, err = pgx.ForEachRow(rows, []any{&table, &comment, &names}, func() error {
		found[table] = slices.Clone(names)
		if mark != "" && comment != "" && comment != mark {
			faults = append(faults, fmt.Sprintf("table %s.%s belongs to another version: %s", schema, table, comment))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at schema %s: %w", schema, err)
	}
	for _, table := range slices.Sorted(maps.Keys(want)) {
		got, ok := found[table]
		switch columns := want[table]; {
		case !ok:
			faults = append(faults, fmt.Sprintf("table %s.%s is missing", schema, table))
		case len(got) < len(columns) || !slices.Equal(got[:len(columns)], columns):
			faults = append(faults, fmt.Sprintf("table %s.%s has the columns %s, not %s", schema, table, strings.Join(got, ", "),
				strings.Join(columns, ", ")))
		}
	}
	return faults, nil
}

// Damage says what is wrong with the tables of a version that is ready: tables, columns, rows or
// indexes that are missing. It counts all rows. Nothing is damaged when it returns nothing; a version
// in another state has no tables that could be.
func (s *Store) Damage(ctx context.Context, v Version) ([]string, error) {
	return damage(ctx, s.pool, v)
}

func damage(ctx context.Context, db querier, v Version) ([]string, error) {
	if v.State != StateReady {
		return nil, nil
	}
	schema, err := schemaOf(v.ID)
	if err != nil {
		return nil, err
	}
	form, err := formOf(ctx, db, schema)
	if err != nil {
		return nil, err
	}
	faults, err := lacking(ctx, db, schema, form.tables(v.Near != nil, v.NewItems, v.Together), markOf(v.ID))
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	got, err := countRows(ctx, db, schema, v.Near != nil)
	if err != nil {
		return nil, fmt.Errorf("look at version %s: %w", v.ID, err)
	}
	if want := (rowCounts{v.Items, v.Customers, v.Rated, v.Near}); !got.same(want) {
		faults = append(faults, fmt.Sprintf("it has %v, not %v", got, want))
	}
	rows, err := db.Query(ctx, `SELECT c.relname || ' ' || a.amname || ' ' || o.opcname FROM pg_index x
		JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
		JOIN pg_opclass o ON o.oid = x.indclass[0]
		WHERE c.relnamespace = to_regnamespace($1) AND x.indisvalid AND x.indisready`, schema)
	if err != nil {
		return nil, fmt.Errorf("look at the indexes of version %s: %w", v.ID, err)
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look at the indexes of version %s: %w", v.ID, err)
	}
	want := form.keys(v.Near != nil)
	if v.Index == indexHNSW {
		want = append(want, "item hnsw vector_ip_ops", "item hnsw vector_cosine_ops")
	}
	for _, index := range want {
		if !slices.Contains(indexes, index) {
			faults = append(faults, fmt.Sprintf("schema %s lacks the index %s", schema, index))
		}
	}
	return faults, nil
}

// rowCounts is how many rows the tables of a version have.
type rowCounts struct {
	items, customers, rated int
	near                    *nearRows // nil: the version has no neighbours
}

func (c rowCounts) same(other rowCounts) bool {
	return c.items == other.items && c.customers == other.customers && c.rated == other.rated && c.near.same(other.near)
}

// String names the counts.
func (c rowCounts) String() string {
	text := fmt.Sprintf("%d products, %d customers and %d ratings", c.items, c.customers, c.rated)
	if c.near != nil {
		text += " with " + c.near.String()
	}
	return text
}

func countRows(ctx context.Context, db querier, schema string, near bool) (c rowCounts, err error) {
	into := []any{&c.items, &c.customers, &c.rated}
	counts := `SELECT (SELECT count(*) FROM ` + schema + `.item), (SELECT count(*) FROM ` + schema + `.customer),
		(SELECT count(*) FROM ` + schema + `.rated)`
	if near {
		c.near = &nearRows{}
		into = append(into, &c.near.Items, &c.near.Customers)
		counts += `, (SELECT count(*) FROM ` + schema + `.near_item), (SELECT count(*) FROM ` + schema + `.near_customer)`
	}
	err = db.QueryRow(ctx, counts).Scan(into...)
	if err != nil {
		return c, fmt.Errorf("count rows: %w", err)
	}
	return c, nil
}
