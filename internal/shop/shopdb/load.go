package shopdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

//go:embed schema/*.sql
var schema embed.FS

// seedTable says what the shop's tables hold.
const seedTable = "kindred_seed"

// ratingTables are those of contract 1.
var ratingTables = []string{"customers", "products", "ratings"}

// shadow is the name under which a table is filled before it takes its place.
func shadow(table string) string { return "kindred_new_" + table }

// outgoing is the name under which the table that it replaces is dropped.
func outgoing(table string) string { return "kindred_old_" + table }

// Content is a whole shop. Ratings is iterated twice and must give the same rows each time.
type Content struct {
	Kind      string // "generated", "movielens", "csv"
	Customers []shop.Customer
	Products  []shop.Product
	Ratings   iter.Seq[shop.Rating]
}

// Options of Load.
type Options struct {
	Force bool // overwrite a shop that seed did not fill; load even what is there already
	// Before runs just before the new rows take the place of the old ones, After when the database
	// holds the content, changed or not. Both run while no other seed can load, and their errors end
	// the load. nil for none.
	Before, After func(context.Context) error

	Progress func(rows int) // called after each batch with the rows since the last call; nil for none
}

// Result says what the database holds now.
type Result struct {
	Customers int `json:"customers"`
	Products  int `json:"products"`
	Ratings   int `json:"ratings"`
	// A shop of contract 2 has interactions instead of ratings. Guests are sessions without a customer.
	Interactions int            `json:"interactions,omitempty"`
	Kinds        map[string]int `json:"kinds,omitempty"`
	Guests       int            `json:"guests,omitempty"`
	NoOp         bool           `json:"-"` // the same content was there already
	Kind         string         `json:"kind"`
	ContentHash  string         `json:"content_hash"`
}

// Unchanged reports whether the run was a no-op.
func (r Result) Unchanged() bool { return r.NoOp }

// Load makes the database hold content and nothing else. The rows go to shadow tables, which take
// the places of the old ones in a single RENAME: readers see the old shop or the new one, and a run
// that was killed leaves the old shop and some shadow tables that the next run drops. Content that
// is there already is left alone, with whatever has been added to it since. ErrForeignShop protects
// a shop that seed did not fill.
func (db *DB) Load(ctx context.Context, content Content, opts Options) (Result, error) {
	result := Result{Customers: len(content.Customers), Products: len(content.Products), Kind: content.Kind}
	var err error
	if result.ContentHash, result.Ratings, err = fingerprint(content); err != nil {
		return Result{}, err
	}
	l := &loader{tables: ratingTables, others: historyTables, progress: opts.Progress}
	err = db.load(ctx, l, opts, &result, func(ctx context.Context) error { return l.insertAll(ctx, content) })
	return result, db.witness.Explain(err)
}

// load brings the content of result into the database, whose rows insert puts into shadow tables.
func (db *DB) load(ctx context.Context, l *loader, opts Options, result *Result,
	insert func(context.Context) error) error {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", db.name, err)
	}
	defer func() { _ = conn.Close() }()
	l.conn = conn
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.unlock(ctx)
	held, seeded, err := l.state(ctx)
	if err != nil {
		return err
	}
	if !opts.Force {
		if !seeded && (l.filled || l.othersFilled) || l.filled && l.othersFilled {
			return fmt.Errorf("%w: database %s has rows in %s; use an empty one, or --force to replace them",
				ErrForeignShop, db.name, strings.Join(l.found, ", "))
		}
		result.NoOp = held == result.ContentHash && l.filled
	}
	var steps []func(context.Context) error
	if !result.NoOp {
		fill := func(ctx context.Context) error { return l.fill(ctx, *result, insert) }
		steps = append(steps, fill, opts.Before, l.swap)
	}
	for _, step := range append(steps, opts.After) {
		if step == nil {
			continue
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint hashes every row, so that equal content is recognised, and counts the ratings.
func fingerprint(content Content) (hash string, ratings int, err error) {
	h := sha256.New()
	encoder := json.NewEncoder(h)
	for _, c := range content.Customers {
		if err := encoder.Encode(hashed{idOf(c.ID), c.Name, c.City, c.State, c.PostalCode, c.Country,
			c.CreditLimit}); err != nil {
			return "", 0, fmt.Errorf("hash %s: %w", shop.CustomerName(c.ID), err)
		}
	}
	for _, p := range content.Products {
		if err := p.Validate(); err != nil {
			return "", 0, fmt.Errorf("check products: %w", err)
		}
		if err := encoder.Encode(p); err != nil {
			return "", 0, fmt.Errorf("hash product %s: %w", p.Code, err)
		}
	}
	var line []byte
	for r := range content.Ratings {
		if err := r.Validate(); err != nil {
			return "", 0, fmt.Errorf("check ratings: %w", err)
		}
		line = fmt.Appendf(line[:0], "%v %q %d", idOf(r.CustomerID), r.ProductCode, r.Stars)
		if r.RatedAt != nil {
			line = fmt.Appendf(line, " %d", r.RatedAt.Unix())
		}
		h.Write(append(line, '\n'))
		ratings++
	}
	return hex.EncodeToString(h.Sum(nil)), ratings, nil
}

// hashed is a customer as the hash has it: its fields of the time when numbers were the only ids.
type hashed struct {
	Number      any
	Name        string
	City        string
	State       *string
	PostalCode  *string
	Country     string
	CreditLimit *shop.Cents
}

func idOf(id string) any {
	if n, whole := text.Integer(id); whole {
		return n
	}
	return id
}

// loader is one load over one connection.
type loader struct {
	conn     *sql.Conn
	tables   []string // that it fills
	others   []string // of the other contract, which it drops
	progress func(rows int)
	existing map[string]bool // tables of the database
	found    []string        // of both contracts, those with a row
	filled   bool            // at least one of tables has a row

	othersFilled bool // likewise
}

// lockName is per database: GET_LOCK names are shared by the whole server. MySQL 9.7 has no MD5 any more.
const lockName = "CONCAT('kindred_seed.', LEFT(SHA2(DATABASE(), 256), 16))"

// lockWaitSeconds is how long a second seed waits for a first one before it gives up.
const lockWaitSeconds = 5

func (l *loader) lock(ctx context.Context) error {
	var got sql.NullInt64
	if err := l.conn.QueryRowContext(ctx,
		fmt.Sprintf("SELECT GET_LOCK(%s, %d)", lockName, lockWaitSeconds)).Scan(&got); err != nil {
		return fmt.Errorf("lock the database for seeding: %w", err)
	}
	if got.Int64 != 1 {
		return ErrBusy
	}
	return nil
}

// unlock also runs after a cancellation: the connection goes back to the pool and must not keep the lock.
func (l *loader) unlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockWaitSeconds*time.Second)
	defer cancel()
	// a lost connection has released it already
	_, _ = l.conn.ExecContext(ctx, fmt.Sprintf("DO RELEASE_LOCK(%s)", lockName))
}

// state finds which tables there are, whether the shop has rows, and the hash of what seed loaded last.
func (l *loader) state(ctx context.Context) (hash string, seeded bool, err error) {
	l.existing = map[string]bool{}
	rows, err := l.conn.QueryContext(ctx,
		"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()")
	if err != nil {
		return "", false, fmt.Errorf("list tables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", false, fmt.Errorf("list tables: %w", err)
		}
		l.existing[name] = true
	}
	if err := rows.Err(); err != nil {
		return "", false, fmt.Errorf("list tables: %w", err)
	}
	for _, table := range slices.Concat(l.tables, l.others) {
		if !l.existing[table] {
			continue
		}
		var one int
		switch err := l.conn.QueryRowContext(ctx, "SELECT 1 FROM "+table+" LIMIT 1").Scan(&one); {
		case err == nil:
			l.found = append(l.found, table)
			l.filled = l.filled || slices.Contains(l.tables, table)
			l.othersFilled = l.othersFilled || slices.Contains(l.others, table)
		case !errors.Is(err, sql.ErrNoRows):
			return "", false, fmt.Errorf("look into table %s: %w", table, err)
		}
	}
	if !l.existing[seedTable] {
		return "", false, nil
	}
	switch err := l.conn.QueryRowContext(ctx, "SELECT contentHash FROM "+seedTable+" WHERE id = 1").Scan(&hash); {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read what was seeded: %w", err)
	}
	return hash, true, nil
}

// fill makes the shadow tables and puts all rows in.
func (l *loader) fill(ctx context.Context, what Result, insert func(context.Context) error) error {
	filled := append(slices.Clone(l.tables), seedTable)
	for _, table := range slices.Concat(filled, l.others) {
		if err := l.exec(ctx, "DROP TABLE IF EXISTS "+shadow(table)+", "+outgoing(table)); err != nil {
			return fmt.Errorf("drop what an earlier run left: %w", err)
		}
	}
	for _, table := range filled {
		ddl, err := schema.ReadFile("schema/" + table + ".sql")
		if err != nil {
			return fmt.Errorf("read schema of %s: %w", table, err)
		}
		if err := l.exec(ctx, strings.Replace(string(ddl), "CREATE TABLE "+table, "CREATE TABLE "+shadow(table),
			1)); err != nil {
			return fmt.Errorf("make table %s: %w", table, err)
		}
	}
	if err := insert(ctx); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	if err := l.exec(ctx, "INSERT INTO "+shadow(seedTable)+" VALUES (1, ?, ?, ?)", what.ContentHash, what.Kind,
		now); err != nil {
		return fmt.Errorf("note what was seeded: %w", err)
	}
	return nil
}

// swap puts the shadow tables in their places, all in one statement, and drops the old ones with
// those of the other contract.
func (l *loader) swap(ctx context.Context) error {
	var moves, drops []string
	filled := append(slices.Clone(l.tables), seedTable)
	for _, table := range slices.Concat(filled, l.others) {
		if l.existing[table] {
			moves = append(moves, table+" TO "+outgoing(table))
			drops = append(drops, outgoing(table))
		}
	}
	for _, table := range filled {
		moves = append(moves, shadow(table)+" TO "+table)
	}
	if err := l.exec(ctx, "RENAME TABLE "+strings.Join(moves, ", ")); err != nil {
		return fmt.Errorf("put the new tables in place: %w", err)
	}
	if len(drops) == 0 {
		return nil
	}
	if err := l.exec(ctx, "DROP TABLE "+strings.Join(drops, ", ")); err != nil {
		return fmt.Errorf("drop the old tables: %w", err)
	}
	return nil
}

func (l *loader) exec(ctx context.Context, query string, args ...any) error {
	_, err := l.conn.ExecContext(ctx, query, args...)
	return err
}
