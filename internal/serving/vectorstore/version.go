package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
)

// How a version's vectors are searched, as the registry names it.
const (
	indexExact = "exact"
	indexHNSW  = "hnsw"
)

// State is how far a version has come in the database.
type State string

// The states of a version.
const (
	StateLoading State = "loading" // being loaded, or the load was interrupted
	StateReady   State = "ready"   // whole
	StateDropped State = "dropped" // tables dropped, registry row kept
)

// Version is a row of the registry.
type Version struct {
	ID        string  `json:"model_version"`
	Shop      string  `json:"shop,omitempty"` // whose it is; empty: an earlier program loaded it
	State     State   `json:"state"`
	Live      bool    `json:"live"`
	Previous  bool    `json:"previous"`
	Canary    float64 `json:"canary"` // the share of the sessions that it answers as the canary; 0: it is none
	Dim       int     `json:"dim"`
	Items     int     `json:"items"`
	Customers int     `json:"customers"`
	Rated     int     `json:"rated"`
	Index     string  `json:"index"`
	EFSearch  *int    `json:"ef_search"` // how many candidates a search of the index keeps; nil: no index
	// Recall is the share of the ten best products that the index finds; nil: no index.
	Recall    *float64            `json:"recall"`
	Similar   *float64            `json:"similar_recall"` // the same of the ten most similar products
	TrainedAt time.Time           `json:"trained_at"`
	LoadedAt  *time.Time          `json:"loaded_at"` // nil until ready
	Report    modelversion.Report `json:"report"`
	Near      *nearRows           `json:"near,omitempty"`      // how many lists of neighbours it has; nil: it has none
	NewItems  bool                `json:"new_items,omitempty"` // products that it does not know get vectors
	Together  bool                `json:"together,omitempty"`  // it knows what is bought together
}

// versionSQL reads rows as Version has its fields; it needs a condition or an order.
const versionSQL = `SELECT v.version, ` + shopSQL + `, v.state, v.version = l.version IS TRUE, v.version = l.previous IS TRUE,
		CASE WHEN v.version = l.canary THEN l.canary_share ELSE 0 END, v.dim, v.items,
		v.customers, v.rated, v.index_kind, v.ef_search, v.recall, v.similar_recall, v.trained_at, v.loaded_at, v.report, v.solver -> 'near',
		v.solver -> 'new_items' IS NOT NULL, v.solver -> 'together' IS NOT NULL
	FROM kindred.model_version v CROSS JOIN kindred.live l `

// Promotion is one line of the pointer's history.
type Promotion struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action Action    `json:"action"`
	From   string    `json:"from"` // empty: nothing was live
	To     string    `json:"to"`
	Reason string    `json:"reason"`
	Share  float64   `json:"share,omitempty"` // of the sessions, for ActionCanary
}

// Action is what was done to the pointer.
type Action string

// The actions of the history. A refusal leaves the pointer where it was.
const (
	ActionPromote   Action = "promote"
	ActionForce     Action = "force" // against the gate's verdict
	ActionRollback  Action = "rollback"
	ActionRefuse    Action = "refuse"
	ActionCanary    Action = "canary"     // To answers a share of the sessions, From the others
	ActionCanaryOff Action = "canary-off" // the canary From has ended; To answers all sessions
)

// PromoteOptions say who moves the pointer and why. Force needs a Reason.
type PromoteOptions struct {
	Actor  string
	Reason string
	Force  bool // although the gate refused
	// ReplaceShop lets the version take the place of another shop's.
	ReplaceShop bool
	decides     string // the experiment that decided so; "": none
}

// Versions lists the registry, newest load first, dropped versions included.
func (s *Store) Versions(ctx context.Context) ([]Version, error) {
	rows, err := s.pool.Query(ctx, versionSQL+`ORDER BY v.started_at DESC, v.version`)
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", unmigrated(err))
	}
	versions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Version])
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", unmigrated(err))
	}
	return versions, nil
}

// oneVersion reads a version's row. Errors: ErrUnknownVersion.
func oneVersion(ctx context.Context, db querier, version string) (Version, error) {
	rows, err := db.Query(ctx, versionSQL+`WHERE v.version = $1`, version)
	if err != nil {
		return Version{}, unmigrated(err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Version])
	if errors.Is(err, pgx.ErrNoRows) {
		return Version{}, ErrUnknownVersion
	}
	return v, unmigrated(err)
}

// History lists what was done to the pointer, oldest first.
func (s *Store) History(ctx context.Context) ([]Promotion, error) {
	rows, err := s.pool.Query(ctx, `SELECT at, actor, action, coalesce(from_version, ''), to_version, reason, coalesce(share, 0)
		FROM kindred.promotion ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list promotions: %w", unmigrated(err))
	}
	history, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Promotion])
	if err != nil {
		return nil, fmt.Errorf("list promotions: %w", unmigrated(err))
	}
	return history, nil
}

// Prune keeps the newest versions, as many as keep says, and drops the tables of the others, but never
// those of the live, the previous or the canary version. It returns which it dropped. Their registry
// rows stay. A reader that still uses one gets ErrVersionGone.
func (s *Store) Prune(ctx context.Context, keep int) (dropped []string, err error) {
	rows, err := s.pool.Query(ctx, `SELECT version FROM kindred.model_version WHERE state = 'ready'
		ORDER BY loaded_at DESC, version OFFSET $1`, max(keep, 0))
	if err != nil {
		return nil, fmt.Errorf("list old versions: %w", unmigrated(err))
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list old versions: %w", unmigrated(err))
	}
	for _, version := range old {
		done, err := s.drop(ctx, version)
		if err != nil {
			return dropped, fmt.Errorf("drop version %s: %w", version, err)
		}
		if done {
			dropped = append(dropped, version)
		}
	}
	return dropped, nil
}

// PruneState deletes, in portions, what events said was bought more than 90 days ago, visits that no longer
// count, the arms of experiments that have ended, and what may be left of forgotten customers. A table that
// the next migration makes has none of it.
func (s *Store) PruneState(ctx context.Context) error {
	faults := []error{s.prunePurchases(ctx, time.Now()), s.pruneForgotten(ctx), s.pruneVisits(ctx, time.Now()),
		s.pruneExposures(ctx, time.Now()), s.pruneTrends(ctx, time.Now())}
	return errors.Join(slices.DeleteFunc(faults, func(err error) bool { return errors.Is(err, ErrNotMigrated) })...)
}

// errInUse says that the state of products is being written, which takes longer than promoteLocks waits.
var errInUse = errors.New("the state of products is being written")

// drop removes the version's tables unless the version is live, the previous one or a canary. While a large
// catalogue is written, it leaves the version to the next Prune: waiting on would hold up who writes next. A
// statement of its own locks the registry row against a promotion at the same time, so that the next
// statement sees where that promotion has moved the pointer. Nothing is dropped by CASCADE: the views
// that show the live version would prevent it.
func (s *Store) drop(ctx context.Context, version string) (done bool, err error) {
	schema, err := schemaOf(version)
	if err != nil {
		return false, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, promoteLocks); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT FROM kindred.model_version WHERE version = $1 FOR UPDATE`, version); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE kindred.model_version SET state = 'dropped' WHERE version = $1 AND state = 'ready'
			AND NOT EXISTS (SELECT 1 FROM kindred.live l WHERE $1 IN (l.version, l.previous, l.canary))`, version)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, lockProducts); err != nil { // who writes the state reads the version's tables
			if errors.Is(ExplainLock(err), ErrLocked) {
				return errInUse
			}
			return err
		}
		done = true
		rows, err := tx.Query(ctx, `SELECT format('%I.%I', $1::text, relname) FROM pg_class
			WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'`, schema)
		if err != nil {
			return err
		}
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string]) // fewer where the version is damaged
		if err != nil {
			return err
		}
		if len(tables) > 0 {
			if err := execAll(ctx, tx, `DROP TABLE `+strings.Join(tables, ", ")); err != nil {
				return err
			}
		}
		return execAll(ctx, tx, `DROP SCHEMA IF EXISTS `+schema)
	})
	if errors.Is(err, errInUse) {
		return false, nil
	}
	return done && err == nil, err
}
