package vectorstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/pgcopy"
)

// Step is a part of a load and how long it took.
type Step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// steps records the steps of a load.
type steps struct {
	done []Step
	last time.Time
}

// end records a step, which began when the previous one ended.
func (s *steps) end(name string) {
	now := time.Now()
	s.done = append(s.done, Step{Name: name, Seconds: now.Sub(s.last).Seconds()})
	s.last = now
}

// Load writes the version into tables of its own. Readers see nothing of it until it is complete. A
// version that is loaded and undamaged is left alone. What an interrupted load left is dropped, and a
// damaged version is replaced: its readers see the old tables or the new ones. Errors: ErrInvalid when
// the version is broken, ErrRecall when its index would find too little; nothing of the load is kept
// then.
func (s *Store) Load(ctx context.Context, v *modelversion.Version) ([]Step, error) {
	did := steps{last: time.Now()}
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(v.Items) == 0 { // valid, but every answer would be empty
		return nil, fmt.Errorf("check version %s: it has no items: %w", v.ID, ErrInvalid)
	}
	did.end("check")
	if _, err := schemaOf(v.ID); err != nil {
		return nil, err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to load version %s: %w", v.ID, err)
	}
	defer conn.Release()
	if err := lock(ctx, conn); err != nil {
		return nil, err
	}
	defer unlock(context.WithoutCancel(ctx), conn) // the load may end because its context did
	loaded, err := oneVersion(ctx, conn, v.ID)
	if err != nil && !errors.Is(err, ErrUnknownVersion) {
		return nil, fmt.Errorf("read state of version %s: %w", v.ID, err)
	}
	faults, err := damage(ctx, conn, loaded)
	if err != nil || loaded.State == StateReady && len(faults) == 0 {
		return nil, err
	}
	row, err := registryRow(v)
	if err != nil {
		return nil, fmt.Errorf("register version %s: %w", v.ID, err)
	}
	if loaded.State != StateReady { // a damaged version stays as it is until the load is complete
		if err := row.write(ctx, conn, StateLoading); err != nil {
			return nil, fmt.Errorf("register version %s: %w", v.ID, err)
		}
	}
	did.end("wait and register")
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if loaded.State == StateReady {
			if err := row.write(ctx, tx, StateLoading); err != nil {
				return err
			}
		}
		return fill(ctx, tx, v, row.index, loaded.Live, &did)
	})
	if err != nil {
		return nil, fmt.Errorf("load version %s: %w", v.ID, broken(err))
	}
	did.end("commit")
	return did.done, nil
}

// row is a version's row in the registry, encoded.
type row struct {
	version                 *modelversion.Version
	solver, encoder, report []byte
	index                   string
}

func registryRow(v *modelversion.Version) (r row, err error) {
	r = row{version: v, index: indexFor(v)}
	for _, part := range []struct {
		from any
		to   *[]byte
	}{
		{served{v.Solver, v.Repeats, nearOf(v), v.Repeats != nil, v.Products != nil, v.Together != nil},
			&r.solver}, {v.Encoder, &r.encoder},
		{v.Report, &r.report},
	} {
		if *part.to, err = json.Marshal(part.from); err != nil {
			return r, fmt.Errorf("encode as JSON: %w: %w", ErrInvalid, err)
		}
	}
	return r, nil
}

// executor is a connection or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// write puts the row into the registry, in place of what an interrupted load, a dropped or a damaged
// version left.
func (r row) write(ctx context.Context, db executor, state State) error {
	v := r.version
	_, err := db.Exec(ctx, `INSERT INTO kindred.model_version AS old (version, state, training_run, trainer_version, trained_at, dim,
			solver, encoder, report, gram, items, customers, rated, index_kind, shop)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, nullif($15, ''))
		ON CONFLICT (version) DO UPDATE SET (state, training_run, trainer_version, trained_at, dim, solver, encoder, report, gram,
				items, customers, rated, index_kind, shop, started_at, loaded_at, ef_search, recall, similar_recall)
			= (excluded.state, excluded.training_run, excluded.trainer_version, excluded.trained_at, excluded.dim, excluded.solver,
				excluded.encoder, excluded.report, excluded.gram, excluded.items, excluded.customers, excluded.rated,
				excluded.index_kind, excluded.shop, now(), NULL, NULL, NULL, NULL)`,
		v.ID, state, v.TrainingRun, v.TrainerVersion, v.TrainedAt, v.Solver.Dim, r.solver, r.encoder, r.report,
		encodeFloats(v.Solver.Gram), len(v.Items), len(v.Customers), countRated(v), r.index, v.Shop)
	return err
}

// fill makes the version's schema and everything in it, in the caller's transaction, and puts it in
// the place of an earlier one. Keys and indexes come after the rows: building them once is faster
// than maintaining them, and a duplicate fails there.
//
// `make bench-publish` decided the storage, at 41,000 vectors of 64 components:
// Text stands in item and customer only: rated, the largest table by far, has two integers a row.
//   - vector, not halfvec: halfvec takes 0.6 of the space, but twice the time of a scan (10.3 ms, not
//     5.5). A search by index takes 0.71 ms, not 0.80.
//   - Logged tables: SET LOGGED would write everything again (136 ms in all, not 93), and an unlogged
//     table is empty after a crash.
//   - PostgreSQL's own two workers build an index: in 7.2 s, not 15.8.
func fill(ctx context.Context, tx pgx.Tx, v *modelversion.Version, index string, live bool, did *steps) error {
	place, err := schemaOf(v.ID)
	if err != nil {
		return err
	}
	d, schema := strconv.Itoa(v.Solver.Dim), place+"_new"
	if err := execAll(ctx, tx,
		`SET LOCAL maintenance_work_mem = '256MB'`, // so that a graph of 100,000 vectors of 64 is built in memory
		`CREATE SCHEMA `+schema,
		`CREATE TABLE `+schema+`.item (key integer NOT NULL, code text COLLATE "C" NOT NULL, name text NOT NULL, line text NOT NULL,
			quantity_in_stock smallint NOT NULL, positives integer NOT NULL, origin text NOT NULL, embedding vector(`+d+`) NOT NULL`+repeatColumn(v)+`)`,
		`CREATE TABLE `+schema+`.customer (key integer NOT NULL, id text COLLATE "C" NOT NULL, origin text NOT NULL, embedding vector(`+d+`) NOT NULL)`,
		`CREATE TABLE `+schema+`.rated (customer integer NOT NULL, item integer NOT NULL, last timestamptz,
			count integer NOT NULL DEFAULT 1`+until(v)+`)`,
		`COMMENT ON TABLE `+schema+`.item IS '`+markOf(v.ID)+`'`,
		`COMMENT ON TABLE `+schema+`.customer IS '`+markOf(v.ID)+`'`,
		`COMMENT ON TABLE `+schema+`.rated IS '`+markOf(v.ID)+`'`,
	); err != nil {
		return err
	}
	if err := copyRows(ctx, tx, schema, v); err != nil {
		return err
	}
	did.end("copy")
	statements := []string{
		`ALTER TABLE ` + schema + `.item ADD PRIMARY KEY (code)`,
		`ALTER TABLE ` + schema + `.customer ADD PRIMARY KEY (id)`,
		`ALTER TABLE ` + schema + `.rated ADD PRIMARY KEY (customer, item)`,
	}
	if err := execAll(ctx, tx, statements...); err != nil {
		return err
	}
	if err := errors.Join(createNear(ctx, tx, schema, v), createTogether(ctx, tx, schema, v)); err != nil {
		return err
	}
	did.end("keys")
	if index == indexHNSW {
		if err := createIndexes(ctx, tx, schema); err != nil {
			return err
		}
		did.end("index")
	}
	if err := execAll(ctx, tx, `ANALYZE `+schema+`.item`, `ANALYZE `+schema+`.customer`, `ANALYZE `+schema+
		`.rated`); err != nil {
		return err
	}
	if err := verifyCounts(ctx, tx, schema, v); err != nil {
		return err
	}
	did.end("analyze and count")
	if index == indexHNSW {
		if err := recordRecall(ctx, tx, schema, v); err != nil {
			return err
		}
		did.end("recall")
	}
	if err := createNewItems(ctx, tx, schema, v); err != nil {
		return fmt.Errorf("make tables of new products: %w", err)
	}
	if err := createMap(ctx, tx, schema, v); err != nil {
		return fmt.Errorf("make the map of products: %w", err)
	}
	if err := putInPlace(ctx, tx, schema, place); err != nil {
		return err
	}
	if live {
		if err := showViews(ctx, tx, v.ID); err != nil {
			return fmt.Errorf("show version in views: %w", err)
		}
	}
	if err := execAll(ctx, tx, `DROP SCHEMA IF EXISTS `+place+`_old CASCADE`); err != nil {
		return fmt.Errorf("drop what was damaged: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE kindred.model_version SET state = 'ready', loaded_at = clock_timestamp() WHERE version = $1`, v.ID)
	return err
}

// putInPlace gives the new schema its name. What has that name now becomes …_old, so that the views
// of a live version can be pointed at the new tables before the old ones are dropped.
func putInPlace(ctx context.Context, tx pgx.Tx, schema, place string) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, place).Scan(&there); err != nil {
		return fmt.Errorf("look for schema %s: %w", place, err)
	}
	if there {
		if err := execAll(ctx, tx, promoteLocks, `ALTER SCHEMA `+place+` RENAME TO `+place+`_old`); err != nil {
			return fmt.Errorf("put schema %s away: %w", place, err)
		}
	}
	if err := execAll(ctx, tx, `ALTER SCHEMA `+schema+` RENAME TO `+place); err != nil {
		return fmt.Errorf("put schema %s in place: %w", place, err)
	}
	return nil
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
	if err := copyItems(ctx, tx, schema, v); err != nil {
		return fmt.Errorf("copy items: %w", err)
	}
	customer := 0
	err := copyTable(ctx, tx, schema+`.customer (key, id, origin, embedding)`, 4, func(row *pgcopy.Row) bool {
		if customer == len(v.Customers) {
			return false
		}
		c := &v.Customers[customer]
		row.Int32(int32(customer))
		row.Text(c.ID)
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
	keys := make(map[string]int32, len(v.Items))
	for i := range v.Items {
		keys[v.Items[i].Code] = int32(i)
	}
	stranger := -1 // a customer who has rated what is no item
	table, columns := schema+`.rated (customer, item)`, 2
	if v.Repeats != nil {
		table, columns = schema+`.rated (customer, item, last, count, until)`, 5
	}
	err = copyTable(ctx, tx, table, columns, func(row *pgcopy.Row) bool {
		for customer < len(v.Customers) && code == len(v.Customers[customer].Rated) {
			customer, code = customer+1, 0
		}
		if customer == len(v.Customers) {
			return false
		}
		key, known := keys[v.Customers[customer].Rated[code]]
		if !known {
			stranger = customer
			return false
		}
		row.Int32(int32(customer))
		row.Int32(key)
		if v.Repeats != nil {
			bought(row, &v.Customers[customer], code, v.Items[key].Repeat)
		}
		code++
		return true
	})
	if err != nil {
		return fmt.Errorf("copy rated products: %w", err)
	}
	if stranger >= 0 {
		return fmt.Errorf("copy rated products: a customer (row %d) has rated a product that is not an item: %w",
			stranger, ErrInvalid)
	}
	return nil
}

func copyItems(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	item := 0
	table, columns := schema+`.item (key, code, name, line, quantity_in_stock, positives, origin, embedding)`, 8
	if v.Repeats != nil {
		table, columns = strings.TrimSuffix(table, `)`)+`, repeat)`, columns+1
	}
	return copyTable(ctx, tx, table, columns,
		func(row *pgcopy.Row) bool {
			if item == len(v.Items) {
				return false
			}
			it := &v.Items[item]
			row.Int32(int32(item))
			row.Text(it.Code)
			row.Text(it.Name)
			row.Text(it.Line)
			row.Int16(it.QuantityInStock)
			row.Int32(it.Positives)
			row.Text(string(it.Origin))
			row.Vector(it.Vector)
			if v.Repeats != nil {
				row.Int64(int64(it.Repeat))
			}
			item++
			return true
		})
}

// copyTable copies into a table made in the same transaction. With FREEZE, the first readers of a row
// need not look up whether that transaction has ended, and index-only scans need not look at the
// table.
func copyTable(ctx context.Context, tx pgx.Tx, table string, columns int, next func(*pgcopy.Row) bool) error {
	_, err := tx.Conn().PgConn().CopyFrom(ctx, pgcopy.NewReader(columns, next),
		`COPY `+table+` FROM STDIN (FORMAT binary, FREEZE)`)
	return err
}

// verifyCounts compares what the tables hold with what the version has.
func verifyCounts(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	near := nearOf(v)
	got, err := countRows(ctx, tx, schema, near != nil)
	if err != nil {
		return err
	}
	if want := (rowCounts{len(v.Items), len(v.Customers), countRated(v), near}); !got.same(want) {
		return fmt.Errorf("loaded %v, but the version has %v", got, want)
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

// broken marks what the database itself finds wrong with the rows: duplicates (class 23) and values
// out of range (class 22).
func broken(err error) error {
	var state *pgconn.PgError
	if errors.As(err, &state) && (state.Code[:2] == "22" || state.Code[:2] == "23") {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
