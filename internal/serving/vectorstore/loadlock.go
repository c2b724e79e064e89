package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// loadLock is the advisory lock of a loader's connection: it is free again when the loader dies.
	loadLock = 0x6b696e6472656402 // "kindred", 2
	// loadLockTime is how long a load waits for another one. 300,000 products load in about 3 minutes.
	loadLockTime = 10 * time.Minute
)

// lock waits until no other publish loads, at most loadLockTime.
func lock(ctx context.Context, conn *pgxpool.Conn) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { // the lock outlives the transaction, its time limit does not
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true)`,
			strconv.FormatInt(loadLockTime.Milliseconds(), 10)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(loadLock))
		return err
	})
	var state *pgconn.PgError
	if errors.As(err, &state) && state.Code == "55P03" { // lock_not_available
		return fmt.Errorf("another publish has been loading a version into this database for %v: wait for it, or end it",
			loadLockTime)
	}
	if err != nil {
		return fmt.Errorf("wait for another publish: %w", err)
	}
	return nil
}

// unlock releases the lock. If that fails, it closes the connection, which releases the lock too.
func unlock(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(ctx, defaultConnectTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, int64(loadLock)); err != nil {
		_ = conn.Conn().Close(ctx)
	}
}
