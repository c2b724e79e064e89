package vectorstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/serving/recommend"
)

var (
	// ErrNoLiveVersion says that no version was ever promoted: there is nothing to answer from.
	ErrNoLiveVersion = errors.New("no model version is live")
	// ErrNotMigrated says that the database does not have all tables of this package: run package migration.
	ErrNotMigrated = errors.New("the vector database was never migrated, or not since this program was updated: run " +
		"`publish migrate`")
	// ErrVersionGone says that the version's tables were dropped since the caller read the pointer.
	// Ask Live again.
	ErrVersionGone = errors.New("model version is gone from the database")
	// ErrUnknownVersion says that the database never loaded the version, or not all of it.
	ErrUnknownVersion = errors.New("model version is not in the database")
	// ErrNoPrevious says that there is no earlier version to go back to.
	ErrNoPrevious = errors.New("there is no previous version to go back to")
	// ErrCannotAnswer says that a version does not answer the questions of serving: for those who may read.
	ErrCannotAnswer = errors.New("it cannot answer")
	// ErrDamaged says that a part of the registry is missing.
	ErrDamaged = errors.New("the registry of the vector database is damaged")
	// ErrConflict says that somebody else moved the pointer first.
	ErrConflict = errors.New("the live version was changed by somebody else meanwhile")
	// ErrNoCanary says that there is no canary to end.
	ErrNoCanary = errors.New("no version is a canary")
	// ErrExperimentRuns says that an experiment runs already; there is one at most.
	ErrExperimentRuns = errors.New("an experiment runs already: wait for its decision, or end it with " +
		"`publish experiment stop`")
	// ErrExperimentNamed says that there was an experiment of this name before: records name it.
	ErrExperimentNamed = errors.New("there was an experiment of this name: choose another one")
	// ErrNoExperiment says that no experiment runs, or none of this name.
	ErrNoExperiment = errors.New("no such experiment runs")
	// ErrLocked says that another session held a lock for longer than this one waits.
	ErrLocked = errors.New("another session of the vector database holds a lock that this needs; " +
		"pg_stat_activity shows it; end it and try again (WAIT_LOCK sets how long this waits)")
	// ErrRecall says that a version's index finds too few of the best products; nothing of the version was kept.
	ErrRecall = errors.New("the index finds too few of the best products")
	// ErrNameTaken says that item_emb or user_emb is not a view of this package.
	ErrNameTaken = errors.New("the name of a view is taken")
	// ErrInvalid says that a model version is broken and was not loaded.
	ErrInvalid = errors.New("model version is not fit to load")
	// ErrRefused says that the gate refused a version; the error itself is a *Refusal with the reasons.
	ErrRefused = errors.New("the gate refused the model version")
)

// Refusal is the gate's no, with its reasons in words for people.
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

// questionFault names what is special about an error of a question to a version: "no such table or
// schema" is ErrVersionGone; a value that PostgreSQL can never accept is a *recommend.RefusedError,
// without PostgreSQL's message, which quotes the value.
func questionFault(err error, version string) error {
	var state *pgconn.PgError
	switch {
	case undefined(err):
		return fmt.Errorf("%w: %s", ErrVersionGone, version)
	case errors.As(err, &state) && refused(state.Code):
		return &recommend.RefusedError{Reason: "SQLSTATE " + state.Code}
	}
	return err
}

// refused reports the SQLSTATEs that depend on the values of a question alone: data exceptions and
// exceeded limits of the program. 22000 is not one of them: pgvector uses it for faulty vectors, and
// those are the model's. See https://www.postgresql.org/docs/current/errcodes-appendix.html.
func refused(code string) bool {
	return strings.HasPrefix(code, "22") && code != "22000" || strings.HasPrefix(code, "54")
}

// ExplainLock adds ErrLocked to PostgreSQL's lock_not_available.
func ExplainLock(err error) error {
	var state *pgconn.PgError
	if errors.As(err, &state) && state.Code == "55P03" && !errors.Is(err, ErrLocked) {
		return fmt.Errorf("%w: %w", err, ErrLocked)
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

// undefined reports PostgreSQL's undefined_table, undefined_column and invalid_schema_name.
func undefined(err error) bool {
	var state *pgconn.PgError
	return errors.As(err, &state) && (state.Code == "42P01" || state.Code == "42703" || state.Code == "3F000")
}
