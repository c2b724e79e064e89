// Package migration owns the vector database's schema: its SQL, in numbered files, bringing a
// database up to date, and who may read it. It is apart from package vectorstore, because the
// functions read only: the machinery of migrating would be 160 KB of each.
package migration

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"kindred/internal/serving/vectorstore"
)

//go:embed *.sql
var files embed.FS

const (
	// migrationTable lies in public, because goose writes it before the first migration has made the
	// schema. It says so, because for a user named kindred an unqualified name means schema kindred as
	// soon as that exists.
	migrationTable = "public.kindred_migration"
	// migrationLock is the advisory lock of migrating: a number of our own, so that another goose
	// program in this database does not wait.
	migrationLock = 0x6b696e6472656401 // "kindred", 1
	// A second migrator asks each second, for at most a minute.
	migrationLockProbeSeconds = 1
	migrationLockProbes       = 60
)

// Up brings the database's schema up to date and makes the vector extension. Several may run at
// once: one works, the others wait.
func Up(ctx context.Context, s *vectorstore.Store) (err error) {
	config := s.Config()
	var options []stdlib.OptionOpenDB
	if config.BeforeConnect != nil {
		options = append(options, stdlib.OptionBeforeConnect(config.BeforeConnect))
	}
	db := stdlib.OpenDB(*config.ConnConfig, options...) // not the pool: its connections need the vector type already
	defer func() {
		if e := db.Close(); e != nil && err == nil {
			err = fmt.Errorf("close migration connection: %w", e)
		}
	}()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock),
		lock.WithLockTimeout(migrationLockProbeSeconds, migrationLockProbes))
	if err != nil {
		return fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(migrationTable),
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate vector database: %w", err)
	}
	return nil
}
