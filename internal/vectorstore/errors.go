package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrNoLiveVersion says that nothing was ever promoted: there is nothing to answer from.
	ErrNoLiveVersion = errors.New("no model version is live")
	// ErrNotMigrated says that the database has none of this package's tables yet: run Migrate.
	ErrNotMigrated = errors.New("the vector database was never migrated")
	// ErrVersionGone says that the version's tables were dropped since the caller read the pointer. Ask Live again.
	ErrVersionGone = errors.New("model version is gone from the database")
	// ErrUnknownVersion says that the database never loaded the version, or that it is not whole.
	ErrUnknownVersion = errors.New("model version is not in the database")
	// ErrNoPrevious says that there is no earlier version to go back to.
	ErrNoPrevious = errors.New("there is no previous version to go back to")
	// ErrConflict says that somebody else moved the pointer first.
	ErrConflict = errors.New("the live version was changed by somebody else meanwhile")
	// ErrInvalid says that a model version is broken and was not loaded.
	ErrInvalid = errors.New("model version is not fit to load")
	// ErrRefused says that the gate refused a version; the error itself is a *Refusal with the reasons.
	ErrRefused = errors.New("the gate refused the model version")
)

// Refusal is the gate's no, in words for people.
type Refusal struct {
	Version string
	Reasons []string
}

// Error joins the reasons to one sentence.
func (r *Refusal) Error() string {
	reasons := strings.Join(r.Reasons, "; ")
	if reasons == "" {
		reasons = "no reason was recorded"
	}
	return ErrRefused.Error() + " " + r.Version + ": " + reasons
}

// Is makes errors.Is(err, ErrRefused) true.
func (r *Refusal) Is(target error) bool { return target == ErrRefused }

// transientStates are SQLSTATE prefixes of faults that pass by themselves.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var transientStates = [...]string{
	"08",    // connection exception
	"25006", // read-only transaction: the old primary during a failover
	"40001", // serialization failure
	"40P01", // deadlock
	"53",    // insufficient resources: connections, memory, disk
	"55P03", // lock not available within lock_timeout
	"57014", // query cancelled, by a timeout
	"57P0",  // shutdown, crash recovery, starting up, idle session closed
	"58",    // system error outside PostgreSQL
}

// Transient reports whether the same call may succeed later although nothing about its arguments changes. A version that
// is gone or not there yet is transient for a reader: the next look at the pointer decides.
func Transient(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrVersionGone) || errors.Is(err, ErrNoLiveVersion) || errors.Is(err, ErrConflict) {
		return true
	}
	var state *pgconn.PgError // before the connection errors, which may wrap one
	if errors.As(err, &state) {
		for _, prefix := range transientStates {
			if strings.HasPrefix(state.Code, prefix) {
				return true
			}
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// gone turns "no such table or schema" into ErrVersionGone.
func gone(err error, version string) error {
	if undefined(err) {
		return fmt.Errorf("%w: %s", ErrVersionGone, version)
	}
	return err
}

// unmigrated turns "no such table or schema" into ErrNotMigrated.
func unmigrated(err error) error {
	if undefined(err) {
		return ErrNotMigrated
	}
	return err
}

// undefined reports PostgreSQL's undefined_table and invalid_schema_name.
func undefined(err error) bool {
	var state *pgconn.PgError
	return errors.As(err, &state) && (state.Code == "42P01" || state.Code == "3F000")
}
