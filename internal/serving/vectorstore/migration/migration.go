// Package migration owns the vector database's schema: its SQL in numbered files, what is repeated
// after them, and who may read and write. It is a package of its own because the functions only read: the
// code that migrates would add 160 KB to each of them.
package migration

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"kindred/internal/platform/patience"
	"kindred/internal/serving/vectorstore"
)

//go:embed *.sql
var files embed.FS

// canaryFailed is a function of the database. Each run creates it again, in case it was dropped.
//
//go:embed repeated/canary_failed.sql
var canaryFailed string

// keepArms is another one.
//
//go:embed repeated/keep_arms.sql
var keepArms string

// analyzeState is another one.
//
//go:embed repeated/analyze_state.sql
var analyzeState string

// encodeProducts gives products vectors that versions do not know.
//
//go:embed repeated/encode_products.sql
var encodeProducts string

// restoredState mends the numbers of transactions in product_state, in case the database was restored.
//
//go:embed repeated/restored_state.sql
var restoredState string

const (
	// migrationTable is in schema public, because goose writes it before the first migration has made
	// schema kindred. The name is qualified, because for a user named kindred an unqualified one would
	// mean schema kindred as soon as that exists.
	migrationTable = "public.kindred_migration"
	// migrationLock is the advisory lock of migrating: a number of our own, so that another goose
	// program in this database does not wait.
	migrationLock = 0x6b696e6472656401 // "kindred", 1
	// A second migrator asks each second, for as long as a statement waits for a lock.
	migrationLockProbeSeconds = 1
	// A statement waits so long for a lock that another session holds.
	setLockTime = `SELECT set_config('lock_timeout', $1, false)`
)

// Up brings the database's schema up to date, makes the vector extension, and grants again what
// admitted readers need. After a restore it stamps the state of products anew. Each Up makes readers of
// that state start anew. If the registry's schema was dropped, Up creates an empty one. Several may
// run at once: one works, the others wait. Errors: vectorstore.ErrDamaged when a part of the
// registry is missing.
func Up(ctx context.Context, s *vectorstore.Store) error {
	if err := migrate(ctx, s); err != nil {
		return fmt.Errorf("migrate vector database: %w", err)
	}
	err := locked(ctx, s, func(tx pgx.Tx) error {
		if err := vectorstore.CheckRegistry(ctx, tx); err != nil {
			return err
		}
		return repeat(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("migrate vector database: %w", err)
	}
	return nil
}

// migrate runs the numbered files that the database does not know yet.
func migrate(ctx context.Context, s *vectorstore.Store) (err error) {
	wait, err := vectorstore.LockTime()
	if err != nil {
		return err
	}
	config := s.Config()
	options := []stdlib.OptionOpenDB{stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, setLockTime, wait)
		return err
	})}
	if config.BeforeConnect != nil {
		options = append(options, stdlib.OptionBeforeConnect(config.BeforeConnect))
	}
	db := stdlib.OpenDB(*config.ConnConfig, options...) // not the pool: its connections need the vector type already
	defer func() {
		if e := db.Close(); e != nil && err == nil {
			err = fmt.Errorf("close connection: %w", e)
		}
	}()
	// goose would not make a registry again that was dropped after it had noted the migrations.
	var noted bool
	err = db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL AND to_regnamespace('kindred') IS NULL`,
		migrationTable).Scan(&noted)
	if err != nil {
		return err
	}
	if noted {
		if _, err := db.ExecContext(ctx, `DELETE FROM `+migrationTable+
			` WHERE version_id > 0 AND to_regnamespace('kindred') IS NULL`); err != nil {
			return err
		}
	}
	patient, err := patience.ForLock()
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock),
		lock.WithLockTimeout(migrationLockProbeSeconds, uint64(max(patient/time.Second, 1))))
	if err != nil {
		return fmt.Errorf("make lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(migrationTable),
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	_, err = provider.Up(ctx)
	return err
}

// locked runs do in a transaction in which no other migrator works.
func locked(ctx context.Context, s *vectorstore.Store, do func(pgx.Tx) error) error {
	config := s.Config()
	if config.BeforeConnect != nil {
		if err := config.BeforeConnect(ctx, config.ConnConfig); err != nil {
			return err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // the transaction has ended
	wait, err := vectorstore.LockTime()
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, setLockTime, wait); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
			return err
		}
		return do(tx)
	})
}

// repeat makes again what may have been lost since the migrations ran. Like a catalogue, it locks the row
// of the last catalogue before the state of products.
func repeat(ctx context.Context, tx pgx.Tx) error {
	err := execAll(ctx, tx, `CREATE EXTENSION IF NOT EXISTS vector SCHEMA public`,
		`INSERT INTO kindred.live DEFAULT VALUES ON CONFLICT DO NOTHING`,
		`INSERT INTO kindred.catalogue DEFAULT VALUES ON CONFLICT DO NOTHING`,
		`SELECT FROM kindred.catalogue FOR UPDATE`, canaryFailed, keepArms, analyzeState, encodeProducts, restoredState)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT role, writes FROM kindred.reader JOIN pg_roles ON rolname = role ORDER BY role`)
	if err != nil {
		return err
	}
	roles, err := pgx.CollectRows(rows, pgx.RowToStructByPos[admitted])
	if err != nil {
		return err
	}
	for _, a := range roles {
		if err := a.grant(ctx, tx); err != nil {
			return fmt.Errorf("grant to %s: %w", a.Role, err)
		}
	}
	return nil
}

// execAll runs statements without preparing them, so that one may hold several.
func execAll(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}
