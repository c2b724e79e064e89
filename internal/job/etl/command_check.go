package etl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsource"
)

// ErrWouldRefuse means that a look at the shop found what a run would refuse it for.
var ErrWouldRefuse = errors.New("etl would refuse this shop")

// CheckCommand is `etl check`.
type CheckCommand struct {
	Reading
	Lake   envconfig.Lake `embed:""`
	Limits Limits         `embed:""`
	// ScratchDir was a flag of etl check before; it changes nothing.
	ScratchDir string `hidden:"" help:"Not used, because etl check writes no file."`
}

// Checked is the result of `etl check`.
type Checked struct {
	Source mysqlsource.Position `json:"source"`
	Inspection
	WallSeconds float64 `json:"wall_seconds"`
}

// Run looks at the shop. Exit code 1 when etl would refuse it. A lake is not needed: with one, the
// columns are compared with those of its current training set.
func (c *CheckCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	if err := c.Limits.Validate(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	var base commit.Manifest
	if c.Lake.Bucket != "" {
		repo, err := openRepository(ctx, c.Lake)
		if err == nil {
			base, err = current(ctx, repo)
		}
		if err != nil {
			return err
		}
	}
	shop, err := c.find(ctx)
	if err != nil {
		return err
	}
	var found Checked
	err = shop.read(ctx, out, func(snapshot *mysqlsource.Snapshot) error {
		found.Source = snapshot.Position()
		found.Inspection, err = inspect(ctx, snapshot, base, c.accepting(c.Limits))
		return err
	})
	if err != nil {
		return err
	}
	found.WallSeconds = time.Since(start).Seconds()
	return errors.Join(out.Result(found.sentence(), found), found.verdict())
}

// DryRun is what a run would do.
type DryRun struct {
	Source          mysqlsource.Position `json:"source"`
	RatingsEstimate int64                `json:"ratings_estimate"` // the server's statistics, off by up to half
	Lake            string               `json:"lake"`
	CurrentRun      string               `json:"current_run,omitempty"`
	CurrentRows     Rows                 `json:"current_rows"`
	Limits          Limits               `json:"limits"`
	Inspection
	WallSeconds float64 `json:"wall_seconds"`
}

func (c *RunCommand) dryRun(ctx context.Context, snapshot *mysqlsource.Snapshot, repo *commit.Repository,
	out *program.Output) error {
	start := time.Now()
	base, err := current(ctx, repo)
	if err != nil {
		return err
	}
	plan := DryRun{Source: snapshot.Position(), Lake: c.Lake.Bucket, CurrentRun: base.Run, CurrentRows: rowsOf(base),
		Limits: c.Limits}
	o := c.accepting(c.Limits)
	if plan.Inspection, err = inspect(ctx, snapshot, base, o); err != nil {
		return err
	}
	for _, p := range plan.Plans {
		if p.DataSet == "ratings" || p.DataSet == "interactions" {
			plan.RatingsEstimate = p.Rows
		}
	}
	plan.WallSeconds = time.Since(start).Seconds()
	if err := plan.verdict(); err != nil && len(plan.Plans) == 0 { // nothing but the columns was looked at
		return err
	}
	return errors.Join(out.Result(plan.sentence(), plan), plan.verdict())
}

func (d DryRun) sentence() string {
	var b strings.Builder
	what := "ratings"
	if d.History != nil {
		what = "interactions"
	}
	fmt.Fprintf(&b, "Would read about %s %s of database %s (%s) and all its customers and products,\n",
		group(d.RatingsEstimate), what, d.Source.Database, d.Source.Server)
	fmt.Fprintf(&b, "and write Parquet files of about 128 MB to %s.\n", d.Lake)
	if d.CurrentRun == "" {
		b.WriteString("There is no training set yet.\n")
	} else {
		fmt.Fprintf(&b, "Current is %s: %s; it stays where nothing changed.\n", d.CurrentRun, d.CurrentRows)
	}
	b.WriteString(d.Inspection.sentence())
	b.WriteString("\nRefused beyond these limits:")
	seen := map[string]bool{}
	all := rules(Counts{}, d.Limits)
	if d.History != nil {
		all = historyRules(HistoryCounts{}, d.Limits)
	}
	for _, r := range all {
		if !seen[r.flag] {
			seen[r.flag] = true
			fmt.Fprintf(&b, "\n  --%s %g", r.flag, r.limit)
		}
	}
	return b.String()
}
