package vectorstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/model/modelversion"
)

// promoteLocks bounds how long moving the pointer waits for a lock: somebody who reads the views in
// a long transaction must not hold up a rollback without the operator learning why.
const promoteLocks = `SET LOCAL lock_timeout = '5s'`

// pointer is the row of kindred.live; a version is empty where there is none.
type pointer struct {
	live, previous, canary string
	experiment             string // its name
	moves                  int64  // how often the row was changed
}

// Promote makes the version live. It checks the gate's verdict, and that nobody has rolled the version
// back (a nightly run would bring it back otherwise). It tries the questions of serving as the
// serving role, moves the pointer from where it is now, shows the version in the views and writes the
// history, all in one transaction. Readers see the old version or the new one. Promoting what is live
// already changes nothing. A canary that goes live is no longer a canary. Errors: ErrRefused (as
// *Refusal, recorded in the history), ErrOtherShop, ErrCannotAnswer, ErrUnknownVersion, ErrConflict, ErrNameTaken.
func (s *Store) Promote(ctx context.Context, version string, opts PromoteOptions) error {
	at, err := s.pointer(ctx)
	if err == nil && at.live == version {
		return nil
	}
	if err == nil {
		move := Promotion{Actor: opts.Actor, Action: ActionPromote, From: at.live, To: version, Reason: opts.Reason}
		err = s.judged(ctx, move, opts, func(tx pgx.Tx, move Promotion) error { return movePointer(ctx, tx, at, move) })
	}
	if err != nil {
		return fmt.Errorf("promote version %s: %w", version, err)
	}
	return nil
}

// judged asks the gate and the history about move.To, runs do, and tries the version's questions as
// each reader, in one transaction that keeps the version from being dropped. A refusal is recorded
// and returned.
func (s *Store) judged(ctx context.Context, move Promotion, opts PromoteOptions,
	do func(tx pgx.Tx, move Promotion) error) error {
	if opts.Force && opts.Reason == "" {
		return errors.New("force needs a reason")
	}
	readers, err := s.readers(ctx)
	if err != nil {
		return err
	}
	var refusal *Refusal
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		verdict, err := lockVersion(ctx, tx, move.To)
		if err != nil {
			return err
		}
		if !opts.ReplaceShop {
			if err := sameShop(ctx, tx, move); err != nil {
				return err
			}
		}
		objections, err := objectionsTo(ctx, tx, move, verdict, opts.decides)
		if err != nil {
			return err
		}
		switch {
		case len(objections) > 0 && !opts.Force:
			refusal = &Refusal{Version: move.To, Reasons: objections}
			move.Action, move.Reason, move.Share = ActionRefuse, refusal.Error(), 0
			return record(ctx, tx, move)
		case len(objections) > 0 && move.Action == ActionPromote:
			move.Action = ActionForce
		}
		if err := do(tx, move); err != nil {
			return err
		}
		return asReaders(ctx, tx, readers, func(db querier) error { return checkVersion(ctx, db, move.To) })
	})
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}

// Rollback makes the previous version live again, in one transaction, and returns it. It does not ask
// the gate, but the version must answer. A second rollback goes forward again. Errors: ErrNoPrevious,
// ErrCannotAnswer, ErrConflict, ErrNameTaken.
func (s *Store) Rollback(ctx context.Context, opts PromoteOptions) (version string, err error) {
	at, err := s.pointer(ctx)
	if err != nil {
		return "", fmt.Errorf("roll back: %w", err)
	}
	if at.previous == "" {
		return "", fmt.Errorf("roll back: %w", ErrNoPrevious)
	}
	readers, err := s.readers(ctx)
	if err != nil {
		return "", fmt.Errorf("roll back: %w", err)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := lockVersion(ctx, tx, at.previous); err != nil {
			return err
		}
		move := Promotion{Actor: opts.Actor, Action: ActionRollback, From: at.live, To: at.previous, Reason: opts.Reason}
		if err := movePointer(ctx, tx, at, move); err != nil {
			return err
		}
		return asReaders(ctx, tx, readers, func(db querier) error { return checkVersion(ctx, db, at.previous) })
	})
	if err != nil {
		return "", fmt.Errorf("roll back to version %s: %w", at.previous, err)
	}
	return at.previous, nil
}

func (s *Store) pointer(ctx context.Context) (at pointer, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(version, ''), coalesce(previous, ''), coalesce(canary, ''), moves, `+
		experimentName+` FROM kindred.live`).Scan(&at.live, &at.previous, &at.canary, &at.moves, &at.experiment)
	if err != nil {
		err = fmt.Errorf("read live version: %w", unmigrated(err))
	}
	return at, err
}

// lockVersion makes sure that the version is loaded and is not dropped until the transaction ends,
// and returns the gate's verdict on it.
func lockVersion(ctx context.Context, tx pgx.Tx, version string) (modelversion.Verdict, error) {
	if _, err := tx.Exec(ctx, promoteLocks); err != nil {
		return modelversion.Verdict{}, err
	}
	var state State
	var report modelversion.Report
	err := tx.QueryRow(ctx, `SELECT state, report FROM kindred.model_version WHERE version = $1 FOR SHARE`, version).
		Scan(&state, &report)
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

// movePointer makes move.To live, provided that nobody changed the pointer since it was at, and records it.
func movePointer(ctx context.Context, tx pgx.Tx, at pointer, move Promotion) error {
	err := swap(ctx, tx, at, `version = $2, previous = version, moved_at = clock_timestamp(),
		canary = nullif(canary, $2), canary_share = CASE WHEN canary <> $2 THEN canary_share END`, move.To)
	if err != nil {
		return err
	}
	if err := forgetOtherShop(ctx, tx, move); err != nil {
		return fmt.Errorf("forget the other shop's state: %w", err)
	}
	if err := showViews(ctx, tx, move.To); err != nil {
		return fmt.Errorf("show version in views: %w", err)
	}
	return record(ctx, tx, move)
}

// swap changes the pointer's row if it is as it was when at was read: a compare-and-swap. It compares
// the count of moves, not the version, because a version may have gone, come back and been rolled
// back in the meantime. The arguments begin at $2.
func swap(ctx context.Context, tx pgx.Tx, at pointer, set string, args ...any) error {
	if _, err := tx.Exec(ctx, promoteLocks); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `UPDATE kindred.live SET moves = moves + 1, `+set+` WHERE moves = $1`,
		append([]any{at.moves}, args...)...)
	if err != nil {
		return fmt.Errorf("move pointer: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return ErrConflict
	}
	return nil
}

// ShowViews points the views at the live version unless they show it. Errors: ErrNameTaken.
func (s *Store) ShowViews(ctx context.Context) error {
	at, err := s.pointer(ctx)
	if err != nil || at.live == "" {
		return err
	}
	schema, err := schemaOf(at.live)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var shown bool
		err := tx.QueryRow(ctx, `SELECT count(*) = 2 FROM pg_views WHERE schemaname = 'public'
			AND (viewname = 'item_emb' AND strpos(definition, $1 || '.item') > 0
				OR viewname = 'user_emb' AND strpos(definition, $1 || '.customer') > 0)
			AND EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'user_emb'
				AND column_name = 'id' AND data_type = 'text')`, schema).Scan(&shown)
		if err != nil || shown {
			return err
		}
		if err := execAll(ctx, tx, promoteLocks); err != nil {
			return err
		}
		return showViews(ctx, tx, at.live)
	})
	if err != nil {
		return fmt.Errorf("show version %s in views: %w", at.live, err)
	}
	return nil
}

// showViews points item_emb and user_emb at the version, for people who bring SQL of their own.
// The casts drop the dimension from the column's type, which a view may not change, and give all
// versions' ids one type.
func showViews(ctx context.Context, tx pgx.Tx, version string) error {
	schema, err := schemaOf(version)
	if err != nil {
		return err
	}
	form, err := formOf(ctx, tx, schema)
	if err != nil {
		return err
	}
	if err := retypeView(ctx, tx); err != nil {
		return err
	}
	for view, columns := range map[string]string{
		"item_emb": "code AS id, embedding::vector AS embedding FROM " + schema + ".item",
		"user_emb": form.customerID() + " AS id, embedding::vector AS embedding FROM " + schema + ".customer",
	} {
		err := execAll(ctx, tx, `CREATE OR REPLACE VIEW public.`+view+` AS SELECT `+columns)
		var state *pgconn.PgError
		// wrong object type; view of other columns
		if errors.As(err, &state) && (state.Code == "42809" || state.Code == "42P16") {
			return fmt.Errorf("%w: public.%s is a table, or a view of other columns, made by somebody else; "+
				"rename it (ALTER TABLE public.%s RENAME TO …) and publish again", ErrNameTaken, view, view)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func record(ctx context.Context, tx pgx.Tx, p Promotion) error {
	_, err := tx.Exec(ctx, `INSERT INTO kindred.promotion (actor, action, from_version, to_version, reason, share)
		VALUES ($1, $2, nullif($3, ''), $4, $5, nullif($6, 0::double precision))`, p.Actor, p.Action, p.From, p.To, p.Reason, p.Share)
	if err != nil {
		return fmt.Errorf("record promotion: %w", err)
	}
	return nil
}
