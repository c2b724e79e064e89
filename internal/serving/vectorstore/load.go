package vectorstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/pgcopy"
)

const (
	// ExactBelow is the number of items under which an exact scan serves, which is right by
	// definition, and no index is built. `make bench-retrieve` prints it: of 64 components, 2,000 are
	// scanned in 0.6 ms and searched by index in 0.7, 3,000 in 0.8 and 0.5.
	ExactBelow = 3_000
	// loadLock is the advisory lock that a loader holds on its connection, so that it is free again
	// when the loader dies.
	loadLock = 0x6b696e6472656402 // "kindred", 2
	// maxIndexDim is the largest dimension that pgvector's HNSW takes for vector.
	maxIndexDim = 2000
)

// Step is a part of a load and how long it took.
type Step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// steps notes what a load does.
type steps struct {
	done []Step
	last time.Time
}

// end notes that the step that began at the end of the one before is done.
func (s *steps) end(name string) {
	now := time.Now()
	s.done = append(s.done, Step{Name: name, Seconds: now.Sub(s.last).Seconds()})
	s.last = now
}

// Load writes the version into tables of its own beside those of the others. Readers see nothing of
// it. A version that is already there is left alone; what an interrupted load left is dropped and
// loaded anew. Errors: ErrInvalid when the version is broken, ErrRecall when its index would find
// too little; nothing is kept then.
func (s *Store) Load(ctx context.Context, v *modelversion.Version) ([]Step, error) {
	did := steps{last: time.Now()}
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(v.Items) == 0 { // valid, but every answer would be empty
		return nil, fmt.Errorf("check version %s: it has no items: %w", v.ID, ErrInvalid)
	}
	did.end("check")
	schema, err := schemaOf(v.ID)
	if err != nil {
		return nil, err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to load version %s: %w", v.ID, err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(loadLock)); err != nil {
		return nil, fmt.Errorf("wait for other loaders: %w", err)
	}
	defer unlock(context.WithoutCancel(ctx), conn) // the load may end because its context did
	var state State
	err = conn.QueryRow(ctx, `SELECT state FROM kindred.model_version WHERE version = $1`, v.ID).Scan(&state)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read state of version %s: %w", v.ID, unmigrated(err))
	}
	if state == StateReady {
		return nil, nil
	}
	index := indexExact
	if len(v.Items) >= ExactBelow && v.Solver.Dim <= maxIndexDim {
		index = indexHNSW
	}
	if err := register(ctx, conn, v, index); err != nil {
		return nil, fmt.Errorf("register version %s: %w", v.ID, err)
	}
	did.end("wait and register")
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return fill(ctx, tx, schema, v, index, &did) })
	if err != nil {
		return nil, fmt.Errorf("load version %s: %w", v.ID, broken(err))
	}
	did.end("commit")
	return did.done, nil
}

// unlock gives the lock back; where that fails the connection is closed, which frees it too.
func unlock(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(ctx, defaultConnectTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, int64(loadLock)); err != nil {
		_ = conn.Conn().Close(ctx)
	}
}

// register writes the version's registry row in state loading, in place of what an interrupted load
// or a dropped version left.
func register(ctx context.Context, conn *pgxpool.Conn, v *modelversion.Version, index string) error {
	var encoded [3][]byte
	for i, part := range []any{v.Solver, v.Encoder, v.Report} {
		var err error
		if encoded[i], err = json.Marshal(part); err != nil {
			return fmt.Errorf("encode as JSON: %w: %w", ErrInvalid, err)
		}
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM kindred.model_version WHERE version = $1`, v.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO kindred.model_version (version, state, training_run, trainer_version, trained_at, dim,
				solver, encoder, report, gram, items, customers, rated, index_kind)
			VALUES ($1, 'loading', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			v.ID, v.TrainingRun, v.TrainerVersion, v.TrainedAt, v.Solver.Dim, encoded[0], encoded[1], encoded[2],
			encodeFloats(v.Solver.Gram), len(v.Items), len(v.Customers), countRated(v), index)
		return err
	})
}

// fill makes the version's schema and everything in it, in the caller's transaction. Keys and
// indexes come after the rows: building them once is faster than keeping them up, and a duplicate
// fails there.
//
// What `make bench-publish` decided, at 41,000 vectors of 64: vector, because halfvec takes 0.6 of
// the space and twice the time of a scan (10.3 against 5.5 ms; a search by index 0.71 against
// 0.80). Logged tables, because SET LOGGED writes all of it again (136 against 93 ms in all) and an
// unlogged one is empty after a crash. PostgreSQL's own two workers build an index, in 7.2 s
// instead of 15.8.
func fill(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version, index string, did *steps) error {
	d := strconv.Itoa(v.Solver.Dim)
	if err := execAll(ctx, tx,
		`SET LOCAL maintenance_work_mem = '256MB'`, // so that a graph of 100,000 vectors of 64 is built in memory
		`DROP SCHEMA IF EXISTS `+schema+` CASCADE`, // never that of a ready version, so no view hangs on it
		`CREATE SCHEMA `+schema,
		`CREATE TABLE `+schema+`.item (code text COLLATE "C" NOT NULL, name text NOT NULL, line text NOT NULL,
			quantity_in_stock smallint NOT NULL, positives integer NOT NULL, origin text NOT NULL, embedding vector(`+d+`) NOT NULL)`,
		`CREATE TABLE `+schema+`.customer (number integer NOT NULL, origin text NOT NULL, embedding vector(`+d+`) NOT NULL)`,
		`CREATE TABLE `+schema+`.rated (customer integer NOT NULL, code text COLLATE "C" NOT NULL)`,
	); err != nil {
		return err
	}
	if err := copyRows(ctx, tx, schema, v); err != nil {
		return err
	}
	did.end("copy")
	statements := []string{
		`ALTER TABLE ` + schema + `.item ADD PRIMARY KEY (code)`,
		`ALTER TABLE ` + schema + `.customer ADD PRIMARY KEY (number)`,
		`ALTER TABLE ` + schema + `.rated ADD PRIMARY KEY (customer, code)`,
	}
	if err := execAll(ctx, tx, statements...); err != nil {
		return err
	}
	did.end("keys")
	if index == indexHNSW {
		if err := execAll(ctx, tx, `CREATE INDEX ON `+schema+`.item USING hnsw (embedding vector_ip_ops)`,
			`CREATE INDEX ON `+schema+`.item USING hnsw (embedding vector_cosine_ops)`); err != nil {
			return err
		}
		did.end("index")
	}
	if err := execAll(ctx, tx, `ANALYZE `+schema+`.item`, `ANALYZE `+schema+`.customer`, `ANALYZE `+schema+`.rated`); err != nil {
		return err
	}
	if err := verifyCounts(ctx, tx, schema, v); err != nil {
		return err
	}
	did.end("analyze and count")
	if index == indexHNSW {
		r, err := measureRecall(ctx, tx, schema, v)
		if err != nil {
			return fmt.Errorf("measure recall: %w", err)
		}
		_, err = tx.Exec(ctx, `UPDATE kindred.model_version SET ef_search = $2, recall = $3, similar_recall = $4 WHERE version = $1`,
			v.ID, r.efSearch, r.products, r.similar)
		if err != nil {
			return fmt.Errorf("record recall: %w", err)
		}
		did.end("recall")
	}
	_, err := tx.Exec(ctx, `UPDATE kindred.model_version SET state = 'ready', loaded_at = clock_timestamp() WHERE version = $1`, v.ID)
	return err
}

// execAll runs statements without preparing them: each is run once, and some cannot be prepared.
func execAll(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}

// copyRows sends the rows by COPY in PostgreSQL's binary form.
func copyRows(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	item := 0
	err := copyTable(ctx, tx, schema+`.item (code, name, line, quantity_in_stock, positives, origin, embedding)`, 7, func(row *pgcopy.Row) bool {
		if item == len(v.Items) {
			return false
		}
		it := &v.Items[item]
		row.Text(it.Code)
		row.Text(it.Name)
		row.Text(it.Line)
		row.Int16(it.QuantityInStock)
		row.Int32(it.Positives)
		row.Text(string(it.Origin))
		row.Vector(it.Vector)
		item++
		return true
	})
	if err != nil {
		return fmt.Errorf("copy items: %w", err)
	}
	customer := 0
	err = copyTable(ctx, tx, schema+`.customer (number, origin, embedding)`, 3, func(row *pgcopy.Row) bool {
		if customer == len(v.Customers) {
			return false
		}
		c := &v.Customers[customer]
		row.Int32(c.Number)
		row.Text(string(c.Origin))
		row.Vector(c.Vector)
		customer++
		return true
	})
	if err != nil {
		return fmt.Errorf("copy customers: %w", err)
	}
	customer = 0
	code := 0
	err = copyTable(ctx, tx, schema+`.rated (customer, code)`, 2, func(row *pgcopy.Row) bool {
		for customer < len(v.Customers) && code == len(v.Customers[customer].Rated) {
			customer, code = customer+1, 0
		}
		if customer == len(v.Customers) {
			return false
		}
		row.Int32(v.Customers[customer].Number)
		row.Text(v.Customers[customer].Rated[code])
		code++
		return true
	})
	if err != nil {
		return fmt.Errorf("copy rated products: %w", err)
	}
	return nil
}

// copyTable copies into a table made in the same transaction. FREEZE spares each row's first
// readers to look up and note whether that transaction has ended, and index-only scans to look at
// the table.
func copyTable(ctx context.Context, tx pgx.Tx, table string, columns int, next func(*pgcopy.Row) bool) error {
	_, err := tx.Conn().PgConn().CopyFrom(ctx, pgcopy.NewReader(columns, next), `COPY `+table+` FROM STDIN (FORMAT binary, FREEZE)`)
	return err
}

// verifyCounts compares what the tables hold with what the version has.
func verifyCounts(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	var items, customers, rated int
	err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM `+schema+`.item), (SELECT count(*) FROM `+schema+`.customer),
		(SELECT count(*) FROM `+schema+`.rated)`).Scan(&items, &customers, &rated)
	if err != nil {
		return fmt.Errorf("count loaded rows: %w", err)
	}
	if items != len(v.Items) || customers != len(v.Customers) || rated != countRated(v) {
		return fmt.Errorf("loaded %d items, %d customers and %d ratings, but the version has %d, %d and %d",
			items, customers, rated, len(v.Items), len(v.Customers), countRated(v))
	}
	return nil
}

func countRated(v *modelversion.Version) int {
	n := 0
	for i := range v.Customers {
		n += len(v.Customers[i].Rated)
	}
	return n
}

// broken marks what the database itself found wrong with the rows: duplicates (23…) and values out
// of range (22…).
func broken(err error) error {
	var state *pgconn.PgError
	if errors.As(err, &state) && (state.Code[:2] == "22" || state.Code[:2] == "23") {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
