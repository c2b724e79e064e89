// Package mysqlsource reads a shop's customers, products and ratings from MySQL or MariaDB: one
// connection, one consistent snapshot for all three, ratings streamed in bounded memory. It owns
// the queries, the column contract, the exact conversion of values, and the limits on how it uses
// the shop's database. It does not join and does not write; package etl does.
//
// The client is go-mysql, which logs in and reuses one row's memory, where database/sql allocates
// for every value. This package decodes the rows of ratings itself, because there may be a hundred
// million of them (packet.go, ratingdecoder.go).
package mysqlsource

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	driver "github.com/go-sql-driver/mysql"

	"kindred/internal/platform/patience"
	"kindred/internal/shop"
	"kindred/internal/shop/mapping"
)

// netTimeoutSeconds is how long the server may wait for us while we compress or write: MySQL's
// default of 60 s ends a stream whose reader pauses for a slow disk.
const netTimeoutSeconds = 3600

// Snapshot is one consistent view of the shop. It is for one goroutine. After an error only Close
// is useful.
type Snapshot struct {
	cfg      *driver.Config
	limits   patience.Limits
	witness  patience.Witness // of the lookup's waits
	options  Options
	mapping  Mapping
	conn     *client.Conn
	raw      net.Conn
	position Position
	faults   shop.Faults
	sample   int         // rows that a query may give; 0: all
	lookup   *sql.DB     // answers which codes are spelled alike; nil until it is needed
	dialled  *tls.Config // what the connection was made with; nil: no TLS
	keys     *keyForms   // of the key columns; nil until they are asked for
	sampled  idSample    // of the customers, for cutting ranges
	keeper   string      // account for which the server keeps locks; see KeepsLocks
}

// Options is how a shop is read.
type Options struct {
	// Mapping presents tables with other names or columns as ours. Without one the tables are our own:
	// those of contract 2 if there are any, else those of contract 1.
	Mapping Mapping
	// StatementLimit is how long the server may work on one query. Nil: as the server has it for
	// the user. 0: as long as it takes.
	StatementLimit *time.Duration
	// RangeRows is about how many ratings one query reads. An ALTER TABLE waits for one query at
	// most, except where KeepsLocks. 0: DefaultRangeRows.
	RangeRows int64
	// ByBytes gives the ratings in the order of their keys' bytes, for keys that the collation holds
	// equal and that are different customers. The server sorts all ratings for it.
	ByBytes bool
}

// DefaultRangeRows is read in two seconds from a server on the same machine. Smaller ranges cost the
// server more, because it compares each row's key with a range's bounds.
const DefaultRangeRows = 6_000_000

// Open connects with a DSN in go-sql-driver's format and fixes the snapshot. ErrSettings when
// the DSN, the user, the password or the database is wrong. Of the DSN's parameters it honours tls,
// timeout and readTimeout. Call Check before reading a shop of unknown shape.
func Open(ctx context.Context, dsn string, o Options) (*Snapshot, error) {
	cfg, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if o.RangeRows <= 0 {
		o.RangeRows = DefaultRangeRows
	}
	limits, err := limitsOf(cfg)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{cfg: cfg, limits: limits, options: o, mapping: o.Mapping}
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

// limitsOf moves the DSN's own limits out of cfg, because the connection keeps them.
func limitsOf(cfg *driver.Config) (patience.Limits, error) {
	limits, err := patience.Database()
	limits.Connect = cmp.Or(cfg.Timeout, limits.Connect)
	limits.Silence = cmp.Or(cfg.ReadTimeout, limits.Silence)
	cfg.Timeout, cfg.ReadTimeout = 0, 0
	return limits, err
}

func (s *Snapshot) connect(ctx context.Context, secure *tls.Config) error {
	stop := func() bool { return true }
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := s.limits.Dial(ctx, network, addr)
		if err == nil { // the login itself knows no context
			s.raw, stop = conn, context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	configure := func(c *client.Conn) error {
		if secure != nil {
			c.SetTLSConfig(secure)
		}
		return nil
	}
	conn, err := client.ConnectWithDialer(ctx, s.cfg.Net, s.cfg.Addr, s.cfg.User, s.cfg.Passwd,
		s.cfg.DBName, dial, configure)
	stop()
	if err != nil {
		return explain(s.cfg, "connect", cause(ctx, err))
	}
	patience.Established(s.raw, nil)
	s.conn, s.dialled = conn, secure
	return nil
}

// begin prepares the session and fixes the snapshot.
func (s *Snapshot) begin(ctx context.Context) error {
	return s.guard(ctx, "begin the snapshot", func() error {
		if err := s.speakUTF8(); err != nil {
			return err
		}
		settings := []string{
			fmt.Sprintf("SET SESSION net_write_timeout = %d", netTimeoutSeconds),
			"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
			// With a binary log, MariaDB frees no table at ROLLBACK TO SAVEPOINT (unlocked) unless the
			// session is not logged. A read-only session has nothing to log.
			"SET SESSION sql_log_bin = 0",
		}
		for variable, value := range mapping.Session {
			settings = append(settings, "SET SESSION "+variable+" = "+value)
		}
		if limit := s.options.StatementLimit; limit != nil {
			settings = append(settings,
				fmt.Sprintf("SET SESSION max_statement_time = %f", limit.Seconds()),      // MariaDB
				fmt.Sprintf("SET SESSION max_execution_time = %d", limit.Milliseconds())) // MySQL
		}
		for _, statement := range settings {
			if _, err := s.conn.Execute(statement); err != nil && !isCode(err, codeUnknownVariable) &&
				!isCode(err, codeRightMissing) {
				return err
			}
		}
		if err := s.findLocking(); err != nil {
			return err
		}
		if err := s.findOwn(); err != nil {
			return err
		}
		lastGTID := s.lastGTID() // first: the status then covers every transaction in it
		before := s.binlogStatus()
		if _, err := s.conn.Execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
			return err
		}
		s.position = s.snapshotPosition(before, lastGTID)
		return nil
	})
}

const charset = "utf8mb4"

// speakUTF8 makes the server send every character as it is. What the client says at login is not
// enough: servers whose default is another character set answer in that one, with "?" for each
// character that it lacks.
func (s *Snapshot) speakUTF8() error {
	if _, err := s.conn.Execute("SET NAMES " + charset); err != nil {
		return err
	}
	result, err := s.conn.Execute(
		"SELECT @@character_set_client, @@character_set_connection, @@character_set_results")
	if err != nil {
		return err
	}
	defer result.Close()
	for i, name := range []string{"character_set_client", "character_set_connection", "character_set_results"} {
		if got := keep(result.GetString(0, i)); got != charset {
			return fmt.Errorf("%w: MySQL at %s answers in another character set: %s is %q after SET NAMES %s",
				ErrSettings, s.cfg.Addr, name, got, charset)
		}
	}
	return nil
}

// findLocking asks whether this session would be written to a MariaDB's binary log.
func (s *Snapshot) findLocking() error {
	if !strings.Contains(s.conn.GetServerVersion(), "MariaDB") {
		return nil
	}
	result, err := s.conn.Execute("SELECT @@log_bin AND @@sql_log_bin, CURRENT_USER()")
	if err != nil {
		return err
	}
	defer result.Close()
	if logged, err := result.GetInt(0, 0); err != nil || logged == 0 {
		return err
	}
	s.keeper = keep(result.GetString(0, 1))
	return nil
}

// findOwn asks for our own tables of contract 2 where no mapping says what to read.
func (s *Snapshot) findOwn() error {
	if s.mapping != (Mapping{}) {
		return nil
	}
	result, err := s.conn.Execute("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() " +
		"AND TABLE_NAME = '" + mapping.OwnInteractions + "'")
	if err != nil {
		return err
	}
	defer result.Close()
	if found, err := result.GetInt(0, 0); err != nil || found == 0 {
		return err
	}
	s.mapping = mapping.Own()
	return nil
}

// KeepsLocks reports that every table that was read stays locked against ALTER TABLE until Close:
// the server is a MariaDB with a binary log, and the account lacks the right BINLOG ADMIN. On any
// other server the lock ends with each query. The account is of the form user@host.
func (s *Snapshot) KeepsLocks() (account string, keeps bool) { return s.keeper, s.keeper != "" }

// unlocked runs a reading and frees the tables after it, as mysqldump does: without it an ALTER
// TABLE, and every query after it, would wait until the snapshot ends. The snapshot stays. Where
// KeepsLocks, it frees nothing.
func (s *Snapshot) unlocked(read func() error) error {
	if _, err := s.conn.Execute("SAVEPOINT kindred"); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err // after an error the snapshot is of no use
	}
	_, err := s.conn.Execute("ROLLBACK TO SAVEPOINT kindred")
	return err
}

// Sample lets each later reading give so many rows at most, in any order: for looking at a shop
// without sorting it.
func (s *Snapshot) Sample(rows int) { s.sample = rows }

func (s *Snapshot) queryOf(t table, mapped, where string) string {
	if s.sample > 0 {
		return fmt.Sprintf("%s LIMIT %d", t.unordered(mapped, where), s.sample)
	}
	if s.options.ByBytes && t.name == ratingsTable().name {
		t = t.byBytes()
	}
	return t.query(mapped, where)
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
	case errors.Is(err, errCallback), errors.Is(err, ErrSchema), errors.Is(err, ErrSettings):
		return err
	}
	return explain(s.cfg, doing, err)
}

// Close ends the snapshot and its connections.
func (s *Snapshot) Close() error {
	err := s.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if s.lookup != nil {
		err = errors.Join(err, s.lookup.Close())
	}
	if err != nil {
		return fmt.Errorf("close MySQL connection: %w", err)
	}
	return nil
}

// Mapped is the mapping that the shop is read by.
func (s *Snapshot) Mapped() Mapping { return s.mapping }

// Position says which moment of the source the snapshot shows.
func (s *Snapshot) Position() Position { return s.position }

// trimVersion cuts the NUL that the client keeps at the version's end, and the 5.5.5- that MariaDB
// puts before its own for old clients.
func trimVersion(version string) string {
	return strings.TrimPrefix(strings.TrimRight(version, "\x00"), "5.5.5-")
}
