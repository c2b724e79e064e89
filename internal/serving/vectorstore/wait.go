package vectorstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"kindred/internal/platform/patience"
)

// limitWaits lets connections keep the limits of package patience. A statement may take longer than
// the limit while PostgreSQL says, over another connection, that it works on it: building an index
// or waiting for a lock takes as long as it takes.
func limitWaits(config *pgxpool.Config, ownTimeout bool) error {
	limits, err := patience.Database()
	if err != nil {
		return err
	}
	if _, err := patience.ForLock(); err != nil {
		return err
	}
	connect := &config.ConnConfig.ConnectTimeout
	if !ownTimeout {
		*connect = min(defaultConnectTimeout, limits.Connect)
	}
	if *connect > 0 {
		limits.Connect = *connect
		*connect += time.Second // the limit's own sentence comes first
	}
	config.ConnConfig.DialFunc = limits.Dial
	config.ConnConfig.AfterConnect = func(_ context.Context, c *pgconn.PgConn) error {
		//nolint:contextcheck // the context is that of connecting; the question comes later
		patience.Established(c.Conn(), func() bool { return works(config, limits.Connect, c.PID()) })
		return nil
	}
	return nil
}

// works asks PostgreSQL, over a connection of its own, whether the session of that process works on a
// statement. A session that waits for its client does not: the client waits for it.
func works(config *pgxpool.Config, limit time.Duration, pid uint32) (busy bool) {
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	own := config.ConnConfig.Copy()
	own.AfterConnect = nil // no question about this question
	if config.BeforeConnect != nil {
		if err := config.BeforeConnect(ctx, own); err != nil {
			return false
		}
	}
	conn, err := pgx.ConnectConfig(ctx, own)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it only read
	err = conn.QueryRow(ctx, `SELECT state = 'active' AND wait_event_type IS DISTINCT FROM 'Client' FROM pg_stat_activity
		WHERE pid = $1`, unnamed, int32(pid)).Scan(&busy)
	return err == nil && busy
}
