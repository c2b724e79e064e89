// Package erasure finds erased persons in the vector database, and deletes them. It knows every table: one that it does
// not know is named, so that nobody takes it for empty. Who was erased, the caller says. It is a package of its own,
// because the functions do not erase.
package erasure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"kindred/internal/serving/vectorstore"
)

// versionPrefix begins the name of a version's schema.
const versionPrefix = "model_"

// table says whose the rows of a table are: SQL expressions on the row t, NULL or ” where there is none.
type table struct{ customer, session string }

// state are the tables of schema kindred. The zero value: no row is a person's.
var state = map[string]table{
	"interaction":    {"t.customer", "t.session"},
	"customer_state": {"t.customer", "NULL"},
	"visit":          {"t.customer", "t.session"},
	"exposure": {`CASE WHEN starts_with(t.visitor, 'customer ') THEN substr(t.visitor, 10) END`,
		`CASE WHEN starts_with(t.visitor, 'session ') THEN substr(t.visitor, 9) END`},

	"model_version": {}, "live": {}, "promotion": {}, "placements": {}, "placements_move": {}, "reader": {},
	"canary_error": {}, "product_state": {}, "catalogue": {}, "catalogue_product": {}, "experiment": {}, "trend": {},
	"trend_event": {}, // hashes of events
}

// version are the tables of a version's schema.
var version = map[string]table{
	"item": {}, "near_item": {}, "together": {}, "feature": {}, "number": {}, "new_item": {}, "map": {},
	"customer": {"t.id", "NULL"}, "rated": {}, "near_customer": {}, // these two go by the customer's key
}

// Person is a customer, a session, or both, as a row names them; "": it names none.
type Person struct{ Customer, Session string }

// Found is what a table holds of persons.
type Found struct {
	Table   string // schema.table
	Persons []Person
	Rows    int64
}

// Database is the vector database.
type Database struct {
	pool *pgxpool.Pool
}

// Open connects when first used, as vectorstore.Open does.
func Open(ctx context.Context, store *vectorstore.Store) (*Database, error) {
	pool, err := pgxpool.NewWithConfig(ctx, store.Config())
	if err != nil {
		return nil, fmt.Errorf("open vector database: %w", err)
	}
	return &Database{pool}, nil
}

// Close ends the connections.
func (d *Database) Close() { d.pool.Close() }

// Tables lists the tables that may hold persons. unknown are tables that this program does not know.
func (d *Database) Tables(ctx context.Context) (tables, unknown []string, err error) {
	rows, err := d.pool.Query(ctx, `SELECT n.nspname, c.relname, EXISTS (SELECT FROM pg_attribute a
			WHERE a.attrelid = c.oid AND c.relname = 'customer' AND a.attname = 'number')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND (n.nspname = 'kindred' OR starts_with(n.nspname, $1)) ORDER BY 1, 2`, versionPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("list tables: %w", err)
	}
	var schema, name string
	var numbered bool // as programs until commit 7ca8cf2 loaded versions
	_, err = pgx.ForEachRow(rows, []any{&schema, &name, &numbered}, func() error {
		known := state
		if schema != "kindred" {
			known = version
		}
		switch t, ok := known[name]; {
		case !ok, numbered:
			unknown = append(unknown, schema+"."+name)
		case t.customer != "":
			tables = append(tables, schema+"."+name)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list tables: %w", err)
	}
	return tables, unknown, nil
}

// of is what is known of a table that Tables lists.
func of(name string) (table, string) {
	schema, relation, _ := strings.Cut(name, ".")
	quoted := pgx.Identifier{schema, relation}.Sanitize()
	if schema == "kindred" {
		return state[relation], quoted
	}
	return version[relation], quoted
}

// Find looks for persons for whom match is true in a table that Tables lists.
func (d *Database) Find(ctx context.Context, name string, match func(Person) bool) (Found, error) {
	t, quoted := of(name)
	found := Found{Table: name}
	rows, err := d.pool.Query(ctx, `SELECT coalesce(`+t.customer+`, ''), coalesce(`+t.session+`, ''), count(*) FROM `+quoted+
		` t GROUP BY 1, 2 ORDER BY 1, 2`)
	if err != nil {
		return found, fmt.Errorf("look for persons in %s: %w", name, err)
	}
	var p Person
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&p.Customer, &p.Session, &n}, func() error {
		if match(p) {
			found.Persons, found.Rows = append(found.Persons, p), found.Rows+n
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("look for persons in %s: %w", name, err)
	}
	return found, nil
}

// whose is the condition that a row is of one of the persons $1 and $2.
func (t table) whose() string {
	return `EXISTS (SELECT FROM unnest($1::text[], $2::text[]) p (customer, session)
		WHERE p.customer = coalesce(` + t.customer + `, '') AND p.session = coalesce(` + t.session + `, ''))`
}

func (f Found) arrays() (customers, sessions []string) {
	for _, p := range f.Persons {
		customers, sessions = append(customers, p.Customer), append(sessions, p.Session)
	}
	return customers, sessions
}

// Rows are the rows that were found, as JSON.
func (d *Database) Rows(ctx context.Context, f Found) ([]map[string]any, error) {
	t, quoted := of(f.Table)
	customers, sessions := f.arrays()
	rows, err := d.pool.Query(ctx, `SELECT to_jsonb(t) FROM `+quoted+` t WHERE `+t.whose(), customers, sessions)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Table, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[map[string]any])
}

// Delete deletes the rows that were found. Of a version it deletes what hangs on its customers too, and corrects the
// counts in the registry. Then it gives the space back, so that the rows are gone from the table's file.
func (d *Database) Delete(ctx context.Context, f Found) error {
	t, quoted := of(f.Table)
	schema, _, _ := strings.Cut(f.Table, ".")
	customers, sessions := f.arrays()
	cleaned := []string{quoted}
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if schema == "kindred" {
			_, err := tx.Exec(ctx, `DELETE FROM `+quoted+` t WHERE `+t.whose(), customers, sessions)
			return err
		}
		also, err := deleteCustomers(ctx, tx, schema, customers)
		cleaned = append(cleaned, also...)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete from %s: %w", f.Table, err)
	}
	for _, name := range cleaned {
		if _, err := d.pool.Exec(ctx, `VACUUM `+name, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("give the space of %s back: %w", name, err)
		}
	}
	return nil
}

// deleteCustomers deletes customers of a version and returns the other tables that it changed.
func deleteCustomers(ctx context.Context, tx pgx.Tx, schema string, customers []string) (also []string, err error) {
	place := pgx.Identifier{schema}.Sanitize()
	rows, err := tx.Query(ctx, `SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'
		AND relname IN ('rated', 'near_customer')`, place)
	if err != nil {
		return nil, err
	}
	hanging, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	changed := map[string]int64{}
	for _, name := range hanging {
		column := map[string]string{"rated": "customer", "near_customer": "key"}[name]
		tag, err := tx.Exec(ctx, `DELETE FROM `+place+`.`+name+` WHERE `+column+` IN (SELECT key FROM `+place+
			`.customer WHERE id = ANY($1))`, customers)
		if err != nil {
			return nil, err
		}
		changed[name], also = tag.RowsAffected(), append(also, place+`.`+name)
	}
	tag, err := tx.Exec(ctx, `DELETE FROM `+place+`.customer WHERE id = ANY($1)`, customers)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `UPDATE kindred.model_version SET customers = customers - $2, rated = rated - $3,
		solver = CASE WHEN solver ? 'near' THEN jsonb_set(solver, '{near,customers}',
			to_jsonb((solver #>> '{near,customers}')::bigint - $4)) ELSE solver END
		WHERE version = $1`, strings.TrimPrefix(schema, versionPrefix), tag.RowsAffected(), changed["rated"],
		changed["near_customer"])
	return also, err
}

// Versions are the loaded versions that answer or may answer soon: the live one, the previous one and the canary.
func (d *Database) Versions(ctx context.Context) (needed []string, err error) {
	rows, err := d.pool.Query(ctx, `SELECT DISTINCT v FROM kindred.live, unnest(ARRAY[version, previous, canary]) v
		WHERE v IS NOT NULL ORDER BY v`)
	if err != nil {
		return nil, fmt.Errorf("read which versions answer: %w", err)
	}
	needed, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read which versions answer: %w", err)
	}
	return slices.Clip(needed), nil
}

// Forgotten are the customers whom an event told to forget.
func (d *Database) Forgotten(ctx context.Context) ([]string, error) {
	rows, err := d.pool.Query(ctx, `SELECT DISTINCT customer FROM kindred.customer_state WHERE field = 'forgotten' ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("read who is to be forgotten: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read who is to be forgotten: %w", err)
	}
	return all, nil
}
