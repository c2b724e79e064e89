package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/modelversion"
)

// promoteLocks bounds how long moving the pointer waits for a lock: somebody who reads the views in a long transaction must not hold up
// a rollback without the operator learning why.
const promoteLocks = `SET LOCAL lock_timeout = '5s'`

// Promote makes the version live: it checks the gate's verdict and that nobody rolled the version back (a nightly run would bring
// it back otherwise), moves the pointer from where it is now, shows the version in the views and writes the history, in one
// transaction. Readers see the old version or the new one. Promoting what is live already changes nothing. Errors: ErrRefused (as *Refusal, recorded in the history), ErrUnknownVersion, ErrConflict.
func (s *Store) Promote(ctx context.Context, version string, opts PromoteOptions) error {
	if opts.Force && opts.Reason == "" {
		return fmt.Errorf("promote version %s: force needs a reason", version)
	}
	from, _, err := s.pointer(ctx)
	if err != nil {
		return fmt.Errorf("promote version %s: %w", version, err)
	}
	if from == version {
		return nil
	}
	var refusal *Refusal
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		verdict, err := lockVersion(ctx, tx, version)
		if err != nil {
			return err
		}
		if verdict, err = addRollback(ctx, tx, version, verdict); err != nil {
			return err
		}
		move := Promotion{Actor: opts.Actor, Action: ActionPromote, From: from, To: version, Reason: opts.Reason}
		switch {
		case !verdict.Pass && !opts.Force:
			refusal = &Refusal{Version: version, Reasons: verdict.Reasons}
			move.Action, move.Reason = ActionRefuse, refusal.Error()
			return record(ctx, tx, move)
		case !verdict.Pass:
			move.Action = ActionForce
		}
		return movePointer(ctx, tx, move)
	})
	if err == nil && refusal != nil {
		err = refusal
	}
	if err != nil {
		return fmt.Errorf("promote version %s: %w", version, err)
	}
	return nil
}

// Rollback makes the previous version live again, in one transaction, without asking the gate, and returns it. A second rollback goes
// forward again. Errors: ErrNoPrevious, ErrConflict.
func (s *Store) Rollback(ctx context.Context, opts PromoteOptions) (version string, err error) {
	from, previous, err := s.pointer(ctx)
	if err != nil {
		return "", fmt.Errorf("roll back: %w", err)
	}
	if previous == "" {
		return "", fmt.Errorf("roll back: %w", ErrNoPrevious)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := lockVersion(ctx, tx, previous); err != nil {
			return err
		}
		return movePointer(ctx, tx, Promotion{Actor: opts.Actor, Action: ActionRollback, From: from, To: previous, Reason: opts.Reason})
	})
	if err != nil {
		return "", fmt.Errorf("roll back to version %s: %w", previous, err)
	}
	return previous, nil
}

// pointer reads the live and the previous version, empty where there is none.
func (s *Store) pointer(ctx context.Context) (live, previous string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(version, ''), coalesce(previous, '') FROM kindred.live`).Scan(&live, &previous)
	if err != nil {
		err = fmt.Errorf("read live version: %w", unmigrated(err))
	}
	return live, previous, err
}

// lockVersion makes sure that the version is whole and stays so until the transaction ends, and returns the gate's verdict on it.
func lockVersion(ctx context.Context, tx pgx.Tx, version string) (modelversion.Verdict, error) {
	if _, err := tx.Exec(ctx, promoteLocks); err != nil {
		return modelversion.Verdict{}, err
	}
	var state State
	var report modelversion.Report
	err := tx.QueryRow(ctx, `SELECT state, report FROM kindred.model_version WHERE version = $1 FOR SHARE`, version).Scan(&state, &report)
	if errors.Is(err, pgx.ErrNoRows) {
		return modelversion.Verdict{}, ErrUnknownVersion
	}
	if err != nil {
		return modelversion.Verdict{}, fmt.Errorf("read verdict: %w", err)
	}
	if state != StateReady {
		return modelversion.Verdict{}, fmt.Errorf("%w: it is %s, not ready", ErrUnknownVersion, state)
	}
	return report.Verdict, nil
}

// addRollback turns the verdict into a no when somebody moved away from the version by a rollback and nobody moved to it since.
func addRollback(ctx context.Context, tx pgx.Tx, version string, verdict modelversion.Verdict) (modelversion.Verdict, error) {
	var actor, reason string
	var at time.Time
	err := tx.QueryRow(ctx, `SELECT actor, reason, at FROM kindred.promotion p WHERE action = 'rollback' AND from_version = $1
		AND NOT EXISTS (SELECT 1 FROM kindred.promotion q WHERE q.id > p.id AND q.to_version = $1 AND q.action <> 'refuse')
		ORDER BY id DESC LIMIT 1`, version).Scan(&actor, &reason, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return verdict, nil
	}
	if err != nil {
		return verdict, fmt.Errorf("read rollbacks: %w", err)
	}
	why := ""
	if reason != "" {
		why = " (" + reason + ")"
	}
	no := fmt.Sprintf("it was rolled back by %s on %s%s", actor, at.UTC().Format(time.DateTime), why)
	return modelversion.Verdict{Reasons: append(slices.Clone(verdict.Reasons), no)}, nil
}

// movePointer swaps the pointer from move.From to move.To, provided that it still is at move.From, and records it.
func movePointer(ctx context.Context, tx pgx.Tx, move Promotion) error {
	tag, err := tx.Exec(ctx, `UPDATE kindred.live SET version = $1, previous = version, moved_at = clock_timestamp()
		WHERE version IS NOT DISTINCT FROM nullif($2, '')`, move.To, move.From)
	if err != nil {
		return fmt.Errorf("move pointer: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return ErrConflict
	}
	if err := showViews(ctx, tx, move.To); err != nil {
		return fmt.Errorf("show version in views: %w", err)
	}
	return record(ctx, tx, move)
}

// showViews points item_emb and user_emb at the version, for people who come with SQL of their own. The cast drops the dimension from the
// column's type, which a view may not change.
func showViews(ctx context.Context, tx pgx.Tx, version string) error {
	schema, err := schemaOf(version)
	if err != nil {
		return err
	}
	return execAll(ctx, tx,
		`CREATE OR REPLACE VIEW public.item_emb AS SELECT code AS id, embedding::vector AS embedding FROM `+schema+`.item`,
		`CREATE OR REPLACE VIEW public.user_emb AS SELECT number AS id, embedding::vector AS embedding FROM `+schema+`.customer`)
}

func record(ctx context.Context, tx pgx.Tx, p Promotion) error {
	_, err := tx.Exec(ctx, `INSERT INTO kindred.promotion (actor, action, from_version, to_version, reason)
		VALUES ($1, $2, nullif($3, ''), $4, $5)`, p.Actor, p.Action, p.From, p.To, p.Reason)
	if err != nil {
		return fmt.Errorf("record promotion: %w", err)
	}
	return nil
}
