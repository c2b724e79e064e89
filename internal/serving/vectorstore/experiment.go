package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/sequential"
	"kindred/internal/serving/recommend"
)

// experimentName is the name of the running experiment in a row of kindred.live; "" if there is none. A
// database that is not migrated lacks the column.
const experimentName = `coalesce(to_jsonb(live) ->> 'experiment', '')`

// Outcome is what an experiment compares.
type Outcome string

// The outcomes. What counts is what feedback credits to a recommendation of the experiment.
const (
	OutcomeHits      Outcome = "hits"      // pages with a product that the visitor looked at, of all pages
	OutcomeCarts     Outcome = "carts"     // products put into the cart, for each visitor
	OutcomePurchases Outcome = "purchases" // products bought, for each visitor
	OutcomeRevenue   Outcome = "revenue"   // what was paid, up to a cap, for each visitor
)

// DecisionStopped is the end of an experiment that somebody, or a fault of the canary, ended before it
// decided.
const DecisionStopped sequential.Decision = "stopped"

// Compares is what the arms of an experiment are.
type Compares string

// What arms may be.
const (
	ComparesVersions   Compares = "versions" // of the model
	ComparesPlacements Compares = "placements"
)

// Experiment is a row of the list of experiments.
type Experiment struct {
	Name      string   `json:"name"`
	Compares  Compares `json:"compares"`
	Control   string   `json:"control"`   // the version that was live when it started
	Treatment string   `json:"treatment"` // the version that is compared with it
	Share     float64  `json:"share"`     // of the visitors who get the treatment
	Outcome   Outcome  `json:"outcome"`
	sequential.Rule
	// Cap is how much of a visitor's revenue counts at most, fixed before the experiment begins; nil unless the outcome
	// is revenue.
	Cap       *float64            `json:"cap,omitempty"`
	Actor     string              `json:"actor"`
	Reason    string              `json:"reason"`
	StartedAt time.Time           `json:"started_at"`
	EndedAt   *time.Time          `json:"ended_at"` // nil: it runs
	Decision  sequential.Decision `json:"decision"` // undecided while it runs
	Why       string              `json:"why"`      // what the decision rests on
}

// maxExperimentName is the longest name of an experiment in bytes.
const maxExperimentName = 40

// Check reports what is wrong with an experiment that is to start.
func (x Experiment) Check() error {
	switch {
	case x.Name == "" || len(x.Name) > maxExperimentName ||
		strings.Trim(x.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("the name %.50q of the experiment is not made of 1 to %d lower-case letters, digits and hyphens",
			x.Name, maxExperimentName)
	case !(x.Share > 0 && x.Share < 1):
		return fmt.Errorf("the treatment's share of %g is not between 0 and 1", x.Share)
	case !slices.Contains([]Outcome{OutcomeHits, OutcomeCarts, OutcomePurchases, OutcomeRevenue}, x.Outcome):
		return fmt.Errorf("the outcome %.50q is none of hits, carts, purchases and revenue", x.Outcome)
	case (x.Cap != nil) != (x.Outcome == OutcomeRevenue) || x.Cap != nil && !(*x.Cap > 0):
		return errors.New("an experiment by revenue has a cap above 0, and no other one has a cap")
	}
	return x.Rule.Check()
}

// StartExperiment compares x.Treatment with the live version, and returns the experiment. The treatment
// becomes the canary; as before a promotion, the gate must allow it, and the queries of serving are tried
// on it. Errors: as StartCanary; ErrExperimentRuns, and ErrExperimentNamed where there was one of that name.
func (s *Store) StartExperiment(ctx context.Context, x Experiment, opts PromoteOptions) (Experiment, error) {
	at, err := s.pointer(ctx)
	if err == nil {
		err = x.Check()
	}
	switch {
	case err != nil:
	case at.live == "":
		err = ErrNoLiveVersion
	case at.live == x.Treatment:
		err = errors.New("the treatment is live already: it is to be another version")
	case at.experiment != "":
		err = fmt.Errorf("%w: %s", ErrExperimentRuns, at.experiment)
	case at.canary != "":
		err = fmt.Errorf("version %s is a canary: end it first with `publish canary --off`", at.canary)
	default:
		x.Compares, x.Control = ComparesVersions, at.live
		move := Promotion{Actor: opts.Actor, Action: ActionCanary, From: at.live, To: x.Treatment, Share: x.Share,
			Reason: joinReasons("experiment "+x.Name+" begins", opts.Reason)}
		err = s.judged(ctx, move, opts, func(tx pgx.Tx, move Promotion) error {
			if err := addExperiment(ctx, tx, x, opts); err != nil {
				return err
			}
			if err := swap(ctx, tx, at, `canary = $2, canary_share = $3, experiment = $4`, x.Treatment, x.Share, x.Name); err != nil {
				return err
			}
			return record(ctx, tx, move)
		})
	}
	if err != nil {
		return Experiment{}, fmt.Errorf("start experiment %s: %w", x.Name, err)
	}
	return s.Experiment(ctx, x.Name)
}

// addExperiment adds a row to the list of experiments.
func addExperiment(ctx context.Context, tx pgx.Tx, x Experiment, opts PromoteOptions) error {
	if err := noneRuns(ctx, tx, ""); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `INSERT INTO kindred.experiment (name, compares, control, treatment, share, outcome, error_rate,
		max_visitors, revenue_cap, actor, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (name) DO NOTHING`, x.Name, x.Compares, x.Control, x.Treatment, x.Share, x.Outcome, x.Error,
		x.MaxVisitors, x.Cap, opts.Actor, opts.Reason)
	if err != nil {
		return fmt.Errorf("add to the experiments: %w", unmigrated(err))
	}
	if tag.RowsAffected() == 0 {
		return ErrExperimentNamed
	}
	return nil
}

// noneRuns makes sure that no experiment of a kind runs; "": of any. Errors: ErrExperimentRuns, with its name.
func noneRuns(ctx context.Context, tx pgx.Tx, kind Compares) error {
	var name string
	err := tx.QueryRow(ctx, `SELECT name FROM kindred.experiment WHERE ended_at IS NULL AND $1 IN ('', compares)`, kind).
		Scan(&name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for a running experiment: %w", unmigrated(err))
	}
	return fmt.Errorf("%w: %s", ErrExperimentRuns, name)
}

// EndExperiment ends the running experiment, of that name, by a decision, and says why in the history.
// Promote makes the treatment live, although the gate may prefer the control by now: what visitors did
// says more than held-out data. With every other decision, what is live answers all visitors. Errors:
// ErrNoExperiment, and those of Promote.
func (s *Store) EndExperiment(ctx context.Context, name string, decision sequential.Decision, why string,
	opts PromoteOptions) error {
	x, err := s.Experiment(ctx, name)
	switch {
	case err != nil:
	case x.EndedAt != nil:
		err = ErrNoExperiment
	case x.Compares == ComparesPlacements:
		err = s.endPlacementsExperiment(ctx, x, decision, why, opts)
	default:
		err = s.endVersionsExperiment(ctx, name, decision, why, opts)
	}
	if err != nil {
		return fmt.Errorf("end experiment %s: %w", name, err)
	}
	return nil
}

// noteEnd notes the decision of an experiment.
func noteEnd(ctx context.Context, tx pgx.Tx, name string, decision sequential.Decision, why string,
	opts PromoteOptions) error {
	_, err := tx.Exec(ctx, `UPDATE kindred.experiment SET ended_at = clock_timestamp(), decision = $2, why = $3
		WHERE name = $1 AND ended_at IS NULL`, name, decision, joinReasons(why, opts.Reason))
	return err
}

// endedBy is the reason that the history gives for what a decision changes.
func endedBy(name string, decision sequential.Decision, why string, opts PromoteOptions) string {
	return joinReasons(fmt.Sprintf("experiment %s: %s: %s", name, decision, why), opts.Reason)
}

func (s *Store) endVersionsExperiment(ctx context.Context, name string, decision sequential.Decision, why string,
	opts PromoteOptions) error {
	at, err := s.pointer(ctx)
	if err == nil && at.experiment != name {
		err = ErrNoExperiment
	}
	if err != nil {
		return err
	}
	reason := endedBy(name, decision, why, opts)
	end := func(tx pgx.Tx) error { return noteEnd(ctx, tx, name, decision, why, opts) }
	if decision == sequential.Promote {
		move := Promotion{Actor: opts.Actor, Action: ActionPromote, From: at.live, To: at.canary, Reason: reason}
		opts.Force, opts.Reason, opts.decides = true, reason, name
		return s.judged(ctx, move, opts, func(tx pgx.Tx, move Promotion) error {
			return errors.Join(end(tx), movePointer(ctx, tx, at, move))
		})
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := end(tx); err != nil {
			return err
		}
		if err := swap(ctx, tx, at, `canary = NULL, canary_share = NULL`); err != nil {
			return err
		}
		return record(ctx, tx, Promotion{Actor: opts.Actor, Action: ActionCanaryOff, From: at.canary, To: at.live,
			Reason: reason})
	})
}

func joinReasons(reason, more string) string {
	if more == "" {
		return reason
	}
	return reason + " (" + more + ")"
}

const experimentSQL = `SELECT name, coalesce(to_jsonb(experiment) ->> 'compares', '` + string(ComparesVersions) + `'), control, treatment, share, outcome, error_rate, max_visitors,
	revenue_cap, actor, reason, started_at, ended_at,
	coalesce(decision, '` + string(sequential.Undecided) + `'), coalesce(why, '') FROM kindred.experiment `

// Experiment is the experiment of that name. Errors: ErrNoExperiment.
func (s *Store) Experiment(ctx context.Context, name string) (Experiment, error) {
	found, err := s.experiments(ctx, `WHERE name = $1`, name)
	if err == nil && len(found) == 0 {
		err = ErrNoExperiment
	}
	if err != nil {
		return Experiment{}, fmt.Errorf("read experiment %.50s: %w", name, err)
	}
	return found[0], nil
}

// Experiments lists all experiments, oldest first. At most the last one runs.
func (s *Store) Experiments(ctx context.Context) ([]Experiment, error) {
	found, err := s.experiments(ctx, `ORDER BY ended_at NULLS LAST, started_at`)
	if err != nil {
		return nil, fmt.Errorf("list experiments: %w", err)
	}
	return found, nil
}

func (s *Store) experiments(ctx context.Context, which string, args ...any) (found []Experiment, err error) {
	rows, err := s.pool.Query(ctx, experimentSQL+which, args...)
	if err != nil {
		return nil, unmigrated(err)
	}
	var x Experiment
	_, err = pgx.ForEachRow(rows, []any{&x.Name, &x.Compares, &x.Control, &x.Treatment, &x.Share, &x.Outcome, &x.Error,
		&x.MaxVisitors, &x.Cap, &x.Actor, &x.Reason, &x.StartedAt, &x.EndedAt, &x.Decision, &x.Why}, func() error {
		found = append(found, x)
		x.EndedAt, x.Cap = nil, nil
		return nil
	})
	return found, unmigrated(err)
}

// runningExperiment is the name of the experiment that runs; "": none.
func runningExperiment(ctx context.Context, tx pgx.Tx) (name string, err error) {
	if err = tx.QueryRow(ctx, `SELECT `+experimentName+` FROM kindred.live`).Scan(&name); err != nil {
		err = fmt.Errorf("read the running experiment: %w", err)
	}
	return name, err
}

// Arms are the arms that are kept of visitors. Errors: a *recommend.RefusedError.
func (s *Store) Arms(ctx context.Context, experiment string, visitors []string) (map[string]recommend.Arm, error) {
	return s.arms(ctx, `SELECT visitor, arm FROM kindred.exposure WHERE experiment = $1 AND visitor = ANY($2)`, experiment,
		visitors)
}

// KeepArms keeps the arms of visitors who have none yet. The rule is SQL, in migration/repeated/keep_arms.sql,
// because a reader may call it and write nothing itself.
func (s *Store) KeepArms(ctx context.Context, experiment string,
	arms map[string]recommend.Arm) (map[string]recommend.Arm, error) {
	visitors, drawn := make([]string, 0, len(arms)), make([]string, 0, len(arms))
	for visitor, arm := range arms {
		visitors, drawn = append(visitors, visitor), append(drawn, string(arm))
	}
	return s.arms(ctx, `SELECT kept_visitor, kept_arm FROM kindred.keep_arms($1, $2, $3)`, experiment, visitors, drawn)
}

func (s *Store) arms(ctx context.Context, sql string, args ...any) (map[string]recommend.Arm, error) {
	found := map[string]recommend.Arm{}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err == nil {
		var visitor, arm string
		_, err = pgx.ForEachRow(rows, []any{&visitor, &arm}, func() error {
			found[visitor] = recommend.Arm(arm)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the arms of visitors: %w", questionFault(err, ""))
	}
	return found, nil
}

// pruneExposures deletes the arms of experiments that have ended.
func (s *Store) pruneExposures(ctx context.Context, now time.Time) error {
	err := s.deletePortions(ctx, `DELETE FROM kindred.exposure WHERE ctid = ANY(ARRAY(SELECT ctid FROM kindred.exposure
		WHERE experiment IN (SELECT name FROM kindred.experiment WHERE ended_at < $2) LIMIT $1))`, now)
	if err != nil {
		return fmt.Errorf("delete the arms of experiments that have ended: %w", unmigrated(err))
	}
	return nil
}
