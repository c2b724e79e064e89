package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
)

// Objections says why Promote, StartCanary and StartExperiment would refuse a version with this verdict now, unless
// they are forced. The version need not be loaded. Errors: ErrNotMigrated.
func (s *Store) Objections(ctx context.Context, version string, verdict modelversion.Verdict) (all []string,
	err error) {
	at, err := s.pointer(ctx)
	if err != nil || at.live == version {
		return nil, err
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		all, err = objectionsTo(ctx, tx, Promotion{From: at.live, To: version}, verdict, "")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask the gate about version %s: %w", version, err)
	}
	return all, nil
}

// objectionsTo says why the version must not answer in the place of the live one: the gate's rule
// forbids it, somebody rolled it back, or an experiment runs other than deciding, the one that wants it.
// None: it may. A version that differs from the live one in names and stock alone needs no verdict.
func objectionsTo(ctx context.Context, tx pgx.Tx, move Promotion, verdict modelversion.Verdict,
	deciding string) (all []string, err error) {
	var live *modelversion.Verdict
	if move.From != "" {
		var report modelversion.Report
		err := tx.QueryRow(ctx, `SELECT report FROM kindred.model_version WHERE version = $1`, move.From).Scan(&report)
		if err != nil {
			return nil, fmt.Errorf("read the live version's verdict: %w", err)
		}
		live = &report.Verdict
	}
	same := live != nil && modelversion.SameFactors(move.To, verdict, move.From, *live)
	if whyNot, ok := verdict.MayReplace(live); !ok && !same {
		all = slices.Clone(verdict.Reasons)
		if len(all) == 0 || verdict.Decision() != modelversion.OutcomeRefused { // the reasons alone do not say no
			all = append(all, whyNot)
		}
	}
	rollback, err := rollbackOf(ctx, tx, move.To, verdict)
	if rollback != "" {
		if len(all) == 0 {
			all = slices.Clone(verdict.Reasons)
		}
		all = append(all, rollback)
	}
	if err != nil {
		return nil, err
	}
	running, err := runningExperiment(ctx, tx)
	if running != "" && running != deciding {
		all = append(all, fmt.Sprintf("the experiment %s compares the live version with another one: wait for its "+
			"decision, or end it with `publish experiment stop`", running))
	}
	return all, err
}

// rollbackOf describes the last rollback from the version, if the version has not been promoted
// again since. A version with the same factors counts as the same version, unless the rollback led
// from one of them to another.
func rollbackOf(ctx context.Context, tx pgx.Tx, version string, verdict modelversion.Verdict) (string, error) {
	origin := version
	if verdict.CarriedFrom != "" {
		origin = verdict.CarriedFrom
	}
	var actor, reason string
	var at time.Time
	err := tx.QueryRow(ctx, `WITH same AS (SELECT version FROM kindred.model_version
			WHERE version IN ($1, $2) OR report #>> '{verdict,carried_from}' = $2)
		SELECT actor, reason, at FROM kindred.promotion p WHERE action = 'rollback' AND (
			from_version = $1 AND NOT EXISTS (SELECT 1 FROM kindred.promotion q
				WHERE q.id > p.id AND q.to_version = $1 AND q.action <> 'refuse')
			OR from_version IN (SELECT version FROM same) AND to_version NOT IN (SELECT version FROM same)
				AND NOT EXISTS (SELECT 1 FROM kindred.promotion q
				WHERE q.id > p.id AND q.to_version IN (SELECT version FROM same) AND q.action <> 'refuse'))
		ORDER BY id DESC LIMIT 1`, version, origin).Scan(&actor, &reason, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read rollbacks: %w", err)
	}
	why := ""
	if reason != "" {
		why = " (" + reason + ")"
	}
	return fmt.Sprintf("it was rolled back by %s on %s%s", actor, at.UTC().Format(time.DateTime), why), nil
}
