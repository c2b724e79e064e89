// Package shopdb owns the shop's MySQL schema, fills it and reads small parts of it back. The bulk
// extract has a reader of its own. It works on MySQL 8.4 and MariaDB 10.11.
package shopdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"kindred/internal/platform/logkey"

	"github.com/go-sql-driver/mysql"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/patience"
)

// wantDSN is the form of a data source name, for messages.
const wantDSN = "user:password@tcp(host:port)/database"

// systemDatabases belong to the server: a shop in them would damage it.
var systemDatabases = [...]string{"mysql", "information_schema", "performance_schema", "sys"}

// DB is a shop's database. It is safe for concurrent use; Close it.
type DB struct {
	sql     *sql.DB
	name    string // of the database, for messages
	witness patience.Witness
}

// Open connects to the database that dsn names, in the format of go-sql-driver:
// user:password@tcp(host:port)/database. Errors never show the password.
func Open(ctx context.Context, dsn string) (*DB, error) {
	return OpenSession(ctx, dsn, nil)
}

// OpenSession is Open with sessions that have the given variables, values written as SQL. They win
// over those of the DSN.
func OpenSession(ctx context.Context, dsn string, variables map[string]string) (*DB, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	if len(variables) > 0 && cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	maps.Copy(cfg.Params, variables)
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.InterpolateParams = true // multi-row inserts in one round trip
	limits, err := patience.Database()
	if err != nil {
		return nil, err
	}
	db := &DB{name: cfg.DBName}
	limits.Connect, limits.Silence = cmp.Or(cfg.Timeout, limits.Connect), cmp.Or(cfg.ReadTimeout, limits.Silence)
	limits.Login, limits.Note = false, db.witness.Note // the driver does not say when the login is done
	cfg.Timeout, cfg.ReadTimeout, cfg.DialFunc = 0, 0, limits.Dial
	cfg.Logger = quiet{}
	if err := cfg.Apply(mysql.Charset("utf8mb4", "")); err != nil { // whatever the server's default is
		return nil, fmt.Errorf("%w: %v", ErrDSN, err) //nolint:errorlint // the sentinel is what callers test
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDSN, err) //nolint:errorlint // the sentinel is what callers test
	}
	db.sql = sql.OpenDB(connector)
	if err := db.login(ctx, cfg.Addr, limits.Connect); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("connect to MySQL at %s: %w", cfg.Addr, err)
	}
	return db, nil
}

// parse reads a DSN that names a shop's database.
func parse(dsn string) (*mysql.Config, error) {
	if dsn == "" {
		return nil, fmt.Errorf("%w: %w", ErrDSN, envconfig.NotSetError{Variable: "MYSQL_DSN", Want: wantDSN})
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil { // the driver's own message may quote the address, never the password
		return nil, fmt.Errorf("%w: want %s", ErrDSN, wantDSN)
	}
	if cfg.DBName == "" {
		return nil, fmt.Errorf("%w: it names no database, want %s", ErrDSN, wantDSN)
	}
	if slices.Contains(systemDatabases[:], strings.ToLower(cfg.DBName)) {
		return nil, fmt.Errorf("%w: %s is the server's own database, name the shop's", ErrDSN, cfg.DBName)
	}
	return cfg, nil
}

// Database is the name of the database in a DSN. ErrDSN as from Open.
func Database(dsn string) (string, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return "", err
	}
	return cfg.DBName, nil
}

// login makes the first connection, within the limit from the dialling on.
func (db *DB) login(ctx context.Context, address string, limit time.Duration) error {
	limited, stop := context.WithTimeout(ctx, limit)
	defer stop()
	err := db.sql.PingContext(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return &patience.Error{Peer: address, Waited: limit, Did: "accepted no connection, or did not finish the login"}
	}
	return db.witness.Explain(err)
}

// SQL gives the pool of connections, for tables that are not this package's.
func (db *DB) SQL() *sql.DB { return db.sql }

// Close releases the connections.
func (db *DB) Close() error { return db.sql.Close() }

// quiet drops what the driver would print on standard error; every error comes back to the caller anyway.
type quiet struct{}

func (quiet) Print(v ...any) { slog.Debug("mysql driver", logkey.Detail, fmt.Sprint(v...)) }
