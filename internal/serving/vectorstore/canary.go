package vectorstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// StartCanary lets the version answer for a share of the sessions beside the live one, in place of
// a canary that there may be, or changes its share. The gate is asked as for a promotion. Errors:
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
			err := swap(ctx, tx, at, `canary = $2, canary_share = $3`, version, share)
			if err != nil {
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
