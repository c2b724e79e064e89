package etl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsecret"
	"kindred/internal/shop/mysqlsource"
)

// Description is the first line of the job's help.
const Description = "Extract the shop's database to a training set: one consistent snapshot, committed whole or not at all."

// Command is the command line of the etl job.
type Command struct {
	Run         RunCommand         `cmd:"" default:"withargs" help:"Extract the shop and make it the current training set (the default)."`
	Plan        PlanCommand        `cmd:"" help:"Begin a job of several partitions: fix their ranges, write customers and products."`
	CommitParts CommitPartsCommand `cmd:"" help:"Make what the partitions of a job wrote the current training set, once all have finished."`
	Show        ShowCommand        `cmd:"" help:"Print the current training set's manifest."`
	Verify      VerifyCommand      `cmd:"" help:"Read all files of the current training set and compare them with its manifest."`
	Prune       PruneCommand       `cmd:"" help:"Delete what runs left behind that were never completed."`
}

// Reading is how the shop is read.
type Reading struct {
	MySQL        envconfig.MySQL `embed:""`
	MySQLSecret  string          `name:"mysql-secret" env:"MYSQL_SECRET_ARN" placeholder:"ARN" help:"Secret with {username, password}, for the DSN that then has none, or with a whole DSN."`
	Mapping      string          `env:"ETL_MAPPING" placeholder:"FILE" help:"SQL file with the queries of a shop whose tables are not named as ours (see testdata/shop-mapping)."`
	AcceptSchema bool            `help:"Let columns be renamed or narrowed since the current training set, this time."`
	ScratchDir   string          `placeholder:"FOLDER" help:"Where files wait for their upload. Default: the system's temporary folder."`
}

// RunCommand is `etl`.
type RunCommand struct {
	Reading
	Lake       envconfig.Lake `embed:""`
	Limits     Limits         `embed:""`
	PruneAfter time.Duration  `default:"168h" help:"Age from which folders of runs that were never completed are deleted after a commit. 0: never."`
	DryRun     bool           `help:"Check everything and print the plan; read no row, write nothing."`
	Partition  string         `placeholder:"I/N" help:"Write only partition I (from 0) of N; needs --job. etl commit-parts makes the set."`
	Job        string         `env:"ETL_JOB" placeholder:"NAME" help:"Name that the partitions of one set share; never used before."`
}

// open opens the shop after it has read the mapping.
func (r Reading) open(ctx context.Context) (*mysqlsource.Snapshot, mysqlsource.Mapping, error) {
	mapping, err := readMapping(r.Mapping)
	if err != nil {
		return nil, mapping, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	dsn, err := mysqlsecret.DSN(ctx, r.MySQL.DSN, r.MySQLSecret)
	if errors.Is(err, mysqlsecret.ErrForm) {
		return nil, mapping, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return nil, mapping, err
	}
	snapshot, err := mysqlsource.OpenMapping(ctx, dsn, mapping)
	return snapshot, mapping, configured(err)
}

// Run extracts the shop.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	if err := c.check(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	repo, err := openRepository(ctx, c.Lake)
	if err != nil {
		return err
	}
	if c.Partition != "" {
		return c.partition(ctx, repo, out, start)
	}
	snapshot, _, err := c.open(ctx)
	if err != nil {
		return err
	}
	if c.DryRun {
		return configured(errors.Join(c.dryRun(ctx, snapshot, repo, out), snapshot.Close()))
	}
	o, bar, err := c.options(ctx, snapshot, out)
	if err != nil {
		return errors.Join(err, snapshot.Close())
	}
	outcome, err := Run(ctx, snapshot, repo, o)
	bar.Close()
	if err = errors.Join(err, snapshot.Close()); err != nil {
		return configured(err)
	}
	return outcome.report(ctx, out, start)
}

func (c *RunCommand) check() error {
	problems := []error{c.Limits.Validate()}
	if c.PruneAfter != 0 && c.PruneAfter < commit.MinPruneAge {
		problems = append(problems, fmt.Errorf("--prune-after is %v, want 0 or at least %v", c.PruneAfter,
			commit.MinPruneAge))
	}
	if (c.Partition == "") != (c.Job == "") {
		problems = append(problems, errors.New("--partition and --job go together"))
	}
	if c.DryRun && c.Partition != "" {
		problems = append(problems, errors.New("--dry-run has no --partition"))
	}
	return oneLine(errors.Join(problems...))
}

// options are those of Run, with a bar where a person watches.
func (c *RunCommand) options(ctx context.Context, snapshot *mysqlsource.Snapshot,
	out *program.Output) (Options, *program.Bar, error) {
	bar, expected := out.Bar(), int64(progressRows)
	if bar.Visible() {
		estimate, err := snapshot.Estimate(ctx)
		if err != nil {
			return Options{}, bar, err
		}
		expected = estimate
	}
	return Options{ScratchDir: c.ScratchDir, Limits: c.Limits, AcceptSchema: c.AcceptSchema, PruneAge: c.PruneAfter,
		Progress: func(ratings int64) { bar.Show("ratings", ratings, expected) }}, bar, nil
}

// DryRun is what a run would do.
type DryRun struct {
	Source          mysqlsource.Position `json:"source"`
	RatingsEstimate int64                `json:"ratings_estimate"` // the server's statistics, off by up to half
	Schema          mysqlsource.Schema   `json:"schema"`
	Lake            string               `json:"lake"`
	CurrentRun      string               `json:"current_run,omitempty"`
	CurrentRows     Rows                 `json:"current_rows"`
	Limits          Limits               `json:"limits"`
	WallSeconds     float64              `json:"wall_seconds"`
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
	if plan.Schema, err = prepare(ctx, snapshot, base, Options{AcceptSchema: c.AcceptSchema}); err != nil {
		return err
	}
	if plan.RatingsEstimate, err = snapshot.Estimate(ctx); err != nil {
		return err
	}
	plan.WallSeconds = time.Since(start).Seconds()
	return out.Result(plan.sentence(), plan)
}

func (d DryRun) sentence() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Would read about %s ratings of database %s (%s) and all its customers and products,\n",
		group(d.RatingsEstimate), d.Source.Database, d.Source.Server)
	fmt.Fprintf(&b, "and write Parquet files of about 128 MB to %s.\n", d.Lake)
	if d.CurrentRun == "" {
		b.WriteString("There is no training set yet.\n")
	} else {
		fmt.Fprintf(&b, "Current is %s: %s; it stays where nothing changed.\n", d.CurrentRun, d.CurrentRows)
	}
	b.WriteString("The columns are as expected. Refused beyond these limits:")
	for _, r := range rules(Counts{}, d.Limits) {
		fmt.Fprintf(&b, "\n  --%s %g", r.flag, r.limit)
	}
	return b.String()
}

func openRepository(ctx context.Context, lake envconfig.Lake) (*commit.Repository, error) {
	store, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", lake.Bucket)
	if err != nil {
		return nil, err
	}
	return commit.NewRepository(store, envconfig.TrainingSetPrefix), nil
}

// configured marks the errors that other flags or variables mend.
func configured(err error) error {
	if errors.Is(err, mysqlsource.ErrSettings) {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	return err
}
