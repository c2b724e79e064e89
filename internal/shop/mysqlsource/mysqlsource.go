// Package mysqlsource reads a shop's customers, products and ratings from MySQL or MariaDB: one
// connection, one consistent snapshot for all three, ratings streamed in bounded memory. It owns
// the queries, the column contract and the exact conversion of values. It does not join and does
// not write; package extract does.
//
// The client is go-mysql, which logs in and reuses one row's memory, where database/sql allocates
// for every value. Ratings, of which there may be a hundred million, are read off the connection by
// this package itself (packet.go, ratingdecoder.go).
package mysqlsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	driver "github.com/go-sql-driver/mysql"
)

const (
	// dialTimeout bounds dialling and then greeting, when the DSN has none: longer than any network
	// within a region needs.
	dialTimeout = 10 * time.Second
	// netTimeoutSeconds is how long the server may wait for us while we compress or write: MySQL's
	// default of 60 s ends a stream whose reader pauses for a slow disk.
	netTimeoutSeconds = 3600
)

// Snapshot is one consistent view of the shop. It is for one goroutine. After an error only Close is useful.
type Snapshot struct {
	cfg      *driver.Config
	mapping  Mapping
	conn     *client.Conn
	raw      net.Conn
	position Position
	faults   Faults
}

// Open is OpenMapping for a shop whose tables are named as ours.
func Open(ctx context.Context, dsn string) (*Snapshot, error) {
	return OpenMapping(ctx, dsn, Mapping{})
}

// OpenMapping connects with a DSN in go-sql-driver's format and fixes the snapshot. ErrSettings
// when the DSN, the user, the password or the database is wrong. Of the DSN's parameters it honours
// tls, timeout and readTimeout. Call Check before reading a shop of unknown shape.
func OpenMapping(ctx context.Context, dsn string, m Mapping) (*Snapshot, error) {
	cfg, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{cfg: cfg, mapping: m}
	if err := s.connect(ctx, cfg.TLS); err != nil {
		if !cfg.AllowFallbackToPlaintext || ctx.Err() != nil {
			return nil, err
		}
		if err := s.connect(ctx, nil); err != nil { // tls=preferred
			return nil, err
		}
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func parseDSN(dsn string) (*driver.Config, error) {
	if dsn == "" {
		return nil, fmt.Errorf("%w: MYSQL_DSN is empty, want user:password@tcp(host:port)/database", ErrSettings)
	}
	cfg, err := driver.ParseDSN(dsn)
	if err != nil { // its text can hold pieces of the password
		return nil, fmt.Errorf("%w: MYSQL_DSN is not of the form user:password@tcp(host:port)/database", ErrSettings)
	}
	if cfg.DBName == "" {
		return nil, fmt.Errorf("%w: MYSQL_DSN names no database", ErrSettings)
	}
	return cfg, nil
}

func (s *Snapshot) connect(ctx context.Context, secure *tls.Config) error {
	timeout := s.cfg.Timeout
	if timeout == 0 {
		timeout = dialTimeout
	}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, addr)
		s.raw = conn
		return conn, err
	}
	stop := func() bool { return true }
	configure := func(c *client.Conn) error {
		stop = context.AfterFunc(ctx, func() { _ = s.raw.Close() }) // the handshake itself knows neither context nor timeout
		if err := s.raw.SetDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		if secure != nil {
			c.SetTLSConfig(secure)
		}
		c.ReadTimeout = s.cfg.ReadTimeout
		return c.SetCharset("utf8mb4")
	}
	conn, err := client.ConnectWithDialer(ctx, s.cfg.Net, s.cfg.Addr, s.cfg.User, s.cfg.Passwd,
		s.cfg.DBName, dial, configure)
	stop()
	if err == nil {
		err = s.raw.SetDeadline(time.Time{})
	}
	if err != nil {
		return explain(s.cfg, "connect", cause(ctx, err))
	}
	s.conn = conn
	return nil
}

// begin prepares the session and fixes the snapshot.
func (s *Snapshot) begin(ctx context.Context) error {
	return s.guard(ctx, "begin the snapshot", func() error {
		settings := []string{
			fmt.Sprintf("SET SESSION net_write_timeout = %d", netTimeoutSeconds),
			"SET SESSION time_zone = '+00:00'",   // a TIMESTAMP column reads as UTC
			"SET SESSION max_statement_time = 0", // MariaDB
			"SET SESSION max_execution_time = 0", // MySQL
			"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		}
		for _, statement := range settings {
			if _, err := s.conn.Execute(statement); err != nil && !isCode(err, codeUnknownVariable) {
				return err
			}
		}
		before := s.binlogStatus()
		if _, err := s.conn.Execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
			return err
		}
		s.position = s.snapshotPosition(before)
		return nil
	})
}

// guard runs a conversation with the server that ends early when ctx does, and explains its error.
func (s *Snapshot) guard(ctx context.Context, doing string, talk func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	defer stop()
	err := talk()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, cause(ctx, err))
	case errors.Is(err, errCallback), errors.Is(err, ErrSchema), errors.Is(err, ErrData):
		return err
	}
	return explain(s.cfg, doing, err)
}

// Close ends the snapshot and the connection.
func (s *Snapshot) Close() error {
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close MySQL connection: %w", err)
	}
	return nil
}

// Position says which moment of the source the snapshot shows.
func (s *Snapshot) Position() Position { return s.position }

// EstimateRatings asks the server's statistics how many ratings there are: good enough for a
// progress bar, off by up to half.
func (s *Snapshot) EstimateRatings(ctx context.Context) (rows int64, err error) {
	err = s.guard(ctx, "estimate ratings", func() error {
		result, err := s.conn.Execute("SELECT COALESCE(MAX(TABLE_ROWS), 0) FROM information_schema.TABLES " +
			"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'ratings'")
		if err != nil {
			return err
		}
		defer result.Close()
		rows, err = result.GetInt(0, 0)
		return err
	})
	return rows, err
}

// trimVersion cuts the NUL that the client keeps at the version's end, and the 5.5.5- that MariaDB
// puts before its own for old clients.
func trimVersion(version string) string {
	return strings.TrimPrefix(strings.TrimRight(version, "\x00"), "5.5.5-")
}
