package mysqlsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
)

var (
	// ErrSettings means that the address, the user or the password must be mended before a reading
	// can succeed.
	ErrSettings = errors.New("MySQL cannot be used as configured")
	// ErrSchema means that a table or a column is not there or has a type that cannot be read.
	ErrSchema = errors.New("the shop's tables are not as expected")
	// ErrChanged means that a table was altered while the snapshot was open: MySQL then refuses to
	// read it on. A new snapshot can be read.
	ErrChanged = errors.New("a table of the shop was altered during the reading")
	// ErrStatementLimit means that a query took longer than the server lets this user's queries
	// take.
	ErrStatementLimit = errors.New("the server ended a query that took longer than its limit")
)

// MySQL's error numbers that have a cause a person can mend
// (https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html).
const (
	codeDatabaseDenied  = 1044
	codeAccessDenied    = 1045
	codeNoDatabase      = 1049
	codeNoColumn        = 1054
	codeTableDenied     = 1142
	codeColumnDenied    = 1143
	codeNoTable         = 1146
	codeUnknownVariable = 1193
	codeRightMissing    = 1227 // BINLOG ADMIN for sql_log_bin
	codeViewDenied      = 1345 // EXPLAIN of a view takes SHOW VIEW
	codeTableChanged    = 1412
	codeMariaDBTime     = 1969
	codeMySQLTime       = 3024
)

// explain turns the client's error into one sentence. It never repeats the server's text for a
// login, which is where passwords are.
func explain(cfg *driver.Config, doing string, err error) error {
	var server *mysql.MyError
	if !errors.As(err, &server) {
		var network *net.OpError
		if errors.As(err, &network) && network.Op == "dial" {
			return fmt.Errorf("%s: MySQL at %s does not answer: %w", doing, cfg.Addr, network.Err)
		}
		return fmt.Errorf("%s: the connection to MySQL at %s failed: %w", doing, cfg.Addr, err)
	}
	switch server.Code {
	case codeAccessDenied:
		return fmt.Errorf("%w: MySQL at %s refuses user %q or the password", ErrSettings, cfg.Addr, cfg.User)
	case codeDatabaseDenied, codeNoDatabase:
		return fmt.Errorf("%w: MySQL at %s has no database %q that user %q may use", ErrSettings,
			cfg.Addr, cfg.DBName, cfg.User)
	case codeNoTable, codeNoColumn:
		return fmt.Errorf("%w: %s: %s in database %s", ErrSchema, doing, strings.TrimSuffix(server.Message, "."), cfg.DBName)
	case codeTableDenied, codeColumnDenied:
		return fmt.Errorf("%w: %s: user %q may not SELECT from it", ErrSettings, doing, cfg.User)
	case codeTableChanged:
		return fmt.Errorf("%s: %w", doing, ErrChanged)
	case codeMariaDBTime, codeMySQLTime:
		return fmt.Errorf("%s: %w", doing, ErrStatementLimit)
	}
	return fmt.Errorf("%s: %w", doing, server)
}

// isCode reports whether the server answered with this error number.
func isCode(err error, code uint16) bool {
	var server *mysql.MyError
	return errors.As(err, &server) && server.Code == code
}

// cause is the context's error when that is why the connection broke.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
