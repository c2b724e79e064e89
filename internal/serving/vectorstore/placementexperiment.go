package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/sequential"
	"kindred/internal/serving/recommend"
)

// placementsExperiment is the name of the running experiment in a row of kindred.live if it compares placements; else
// "". A database that is not migrated lacks the column.
const placementsExperiment = `coalesce(to_jsonb(live) ->> 'placements_experiment', '')`

// placementsArms are what an experiment of placements compares with the live ones.
type placementsArms struct {
	treatment string  // their version
	share     float64 // of the visitors
}

// readArms reads them; they never change.
func readArms(ctx context.Context, db querier, name string) (a placementsArms, err error) {
	err = db.QueryRow(ctx, `SELECT treatment, share FROM kindred.experiment WHERE name = $1`, unnamed, name).
		Scan(&a.treatment, &a.share)
	if err != nil {
		return a, fmt.Errorf("read experiment %s: %w", name, err)
	}
	return a, nil
}

// StartPlacementsExperiment compares x.Treatment, a version of the placements, with the live one, and returns the
// experiment. rules are what EncodePlacements wrote of the treatment. Both have the same names, so that a page is
// answered in either arm. Errors: ErrExperimentRuns, and ErrExperimentNamed where there was one of that name.
func (s *Store) StartPlacementsExperiment(ctx context.Context, x Experiment, rules []byte,
	opts PromoteOptions) (Experiment, error) {
	err := x.Check()
	if err == nil {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			live, err := lockPlacements(ctx, tx)
			if err != nil {
				return err
			}
			x.Compares, x.Control = ComparesPlacements, live
			if err := comparable(ctx, tx, x, rules); err != nil {
				return err
			}
			if err := addPlacements(ctx, tx, x.Treatment, rules); err != nil {
				return err
			}
			if err := addExperiment(ctx, tx, x, opts); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE kindred.live SET placements_experiment = $1`, x.Name)
			return err
		})
	}
	if err != nil {
		return Experiment{}, fmt.Errorf("start experiment %s: %w", x.Name, unmigrated(err))
	}
	return s.Experiment(ctx, x.Name)
}

// comparable says whether pages can be answered by either arm.
func comparable(ctx context.Context, tx pgx.Tx, x Experiment, rules []byte) error {
	control, err := readPlacements(ctx, tx, x.Control)
	if err != nil {
		return err
	}
	names := recommend.ReadPlacements(x.Treatment, rules).Names()
	switch {
	case control == nil:
		return errors.New("no placements are live: publish those of the control first")
	case x.Control == x.Treatment:
		return errors.New("the treatment is live already: it is to be another version of the placements")
	case control.Fault != nil:
		return fmt.Errorf("the live placements cannot be read: %w", control.Fault)
	case !slices.Equal(control.Names(), names):
		return fmt.Errorf("the placements of both arms must have the same names: the live ones have %q, the treatment %q",
			control.Names(), names)
	}
	return nil
}

// endPlacementsExperiment makes the treatment live by the decision Promote, and leaves the live placements alone by
// every other.
func (s *Store) endPlacementsExperiment(ctx context.Context, x Experiment, decision sequential.Decision, why string,
	opts PromoteOptions) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		live, err := lockPlacements(ctx, tx)
		if err != nil {
			return err
		}
		var running string
		if err := tx.QueryRow(ctx, `SELECT `+placementsExperiment+` FROM kindred.live`).Scan(&running); err != nil {
			return err
		}
		if running != x.Name {
			return ErrNoExperiment
		}
		if err := noteEnd(ctx, tx, x.Name, decision, why, opts); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE kindred.live SET placements_experiment = NULL`); err != nil {
			return err
		}
		if decision != sequential.Promote {
			return nil
		}
		return movePlacements(ctx, tx, PlacementsMove{Actor: opts.Actor, Action: ActionPublish, From: live, To: x.Treatment,
			Reason: endedBy(x.Name, decision, why, opts)})
	})
}
