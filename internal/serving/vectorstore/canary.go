package vectorstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// StartCanary lets the version answer for a share of the sessions while the live version answers
// the others. It replaces an earlier canary, or changes the share of the same one. As before a
// promotion, the gate must allow the version, and the queries of serving are tried on it. Errors:
// as Promote, ErrNoLiveVersion.
func (s *Store) StartCanary(ctx context.Context, version string, share float64, opts PromoteOptions) error {
	at, err := s.pointer(ctx)
	switch {
	case err != nil:
	case !(share > 0 && share < 1):
		err = fmt.Errorf("a share of %g of the sessions is not between 0 and 1", share)
	case at.live == "":
		err = ErrNoLiveVersion
	case at.live == version:
		err = errors.New("it is live already, and a canary is another version")
	default:
		move := Promotion{Actor: opts.Actor, Action: ActionCanary, From: at.live, To: version, Reason: opts.Reason,
			Share: share}
		err = s.judged(ctx, move, opts, func(tx pgx.Tx, move Promotion) error {
			if err := swap(ctx, tx, at, `canary = $2, canary_share = $3`, version, share); err != nil {
				return err
			}
			return record(ctx, tx, move)
		})
	}
	if err != nil {
		return fmt.Errorf("make version %s a canary: %w", version, err)
	}
	return nil
}

// StopCanary gives all sessions back to the live version, and returns which version was the canary.
// Errors: ErrNoCanary, ErrConflict.
func (s *Store) StopCanary(ctx context.Context, opts PromoteOptions) (version string, err error) {
	at, err := s.pointer(ctx)
	if err == nil && at.canary == "" {
		err = ErrNoCanary
	}
	if err == nil {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := swap(ctx, tx, at, `canary = NULL, canary_share = NULL`); err != nil {
				return err
			}
			return record(ctx, tx, Promotion{Actor: opts.Actor, Action: ActionCanaryOff, From: at.canary, To: at.live,
				Reason: opts.Reason})
		})
	}
	if err != nil {
		return "", fmt.Errorf("end canary: %w", err)
	}
	return at.canary, nil
}

// CanaryFailed records that the canary could not answer what the live version answered. The tenth
// such record within ten minutes ends the canary; the history tells why. The rule is SQL, in
// migration/repeated/canary_failed.sql, because a reader may call it and write nothing itself.
func (s *Store) CanaryFailed(ctx context.Context, version string, fault error) error {
	if _, err := s.pool.Exec(ctx, `SELECT kindred.canary_failed($1, $2)`, version, faultInShort(fault)); err != nil {
		return fmt.Errorf("record the canary's fault: %w", err)
	}
	return nil
}

// faultInShort names a fault without what a server's message may quote.
func faultInShort(fault error) string {
	var state *pgconn.PgError
	switch {
	case errors.Is(fault, ErrVersionGone):
		return "its tables are gone"
	case errors.As(fault, &state):
		return "SQLSTATE " + state.Code
	case errors.Is(fault, ErrUnknownVersion):
		return "the registry does not know it"
	}
	return fault.Error()
}
