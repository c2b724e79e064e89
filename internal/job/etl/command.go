package etl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsecret"
	"kindred/internal/shop/mysqlsource"
)

// Description is the first line of the job's help.
const Description = "Extract the shop's database to a training set. One run reads one consistent snapshot, and each " +
	"partition of a job reads its own. The set is committed whole or not at all."

// Command is the command line of the etl job.
type Command struct {
	Run         RunCommand         `cmd:"" default:"withargs" help:"Extract the shop and make it the current training set (the default command)."`
	Check       CheckCommand       `cmd:"" help:"Look at the shop's columns, indexes and some of its rows. Print which data etl would refuse, and how to correct the data."`
	Plan        PlanCommand        `cmd:"" help:"Begin a job of several partitions: decide their ranges, and write customers and products."`
	CommitParts CommitPartsCommand `cmd:"" help:"After all partitions of a job have been written, make them the current training set."`
	Show        ShowCommand        `cmd:"" help:"Print the current training set's manifest."`
	Verify      VerifyCommand      `cmd:"" help:"Read all files of the current training set and compare them with its manifest."`
	Admit       AdmitCommand       `cmd:"" help:"Make the user with which etl reads the shop, or give it another password. It may read, and nothing else."`
	Prune       PruneCommand       `cmd:"" help:"Delete the files of runs that were never completed."`
}

// Source is the shop that is read.
type Source struct {
	MySQL          envconfig.MySQL `embed:""`
	MySQLSecret    string          `name:"mysql-secret" env:"MYSQL_SECRET_ARN" placeholder:"ARN" help:"Secrets Manager secret: either {username, password} to add to --mysql-dsn, or a complete DSN."`
	Mapping        string          `env:"ETL_MAPPING" placeholder:"FILE" help:"SQL file, or object s3://bucket/key, with queries for products, interactions and, optionally, customers (example: testdata/order-mapping), or for customers, products and ratings (example: testdata/shop-mapping)."`
	Preset         Preset          `embed:""`
	Shop           envconfig.Shop  `embed:""`
	StatementLimit *time.Duration  `placeholder:"DURATION" help:"Longest time that the database server may work on one query. 0 sets no limit. Default: the limit that the server has for the user."`
}

// Reading is how the shop is read for a training set.
type Reading struct {
	Source

	Erasure      envconfig.Erasure `embed:""`
	ReplaceShop  bool              `help:"Replace, this once, the current training set of this lake, even if it belongs to a shop of another name. The two shops' columns and numbers of rows are not compared."`
	RangeRows    int64             `default:"6000000" help:"About how many ratings one query reads. While a query runs, an ALTER TABLE of the ratings waits. On some servers the ALTER TABLE waits until etl ends. etl check prints whether it would on yours."`
	AcceptSchema bool              `help:"Accept, this once, that columns are renamed or narrower than in the current training set, or that the shop now has interactions instead of ratings, or the reverse."`
}

// Scratch is where a command keeps files until they are uploaded.
type Scratch struct {
	ScratchDir string `placeholder:"FOLDER" help:"Folder for files that are not uploaded yet. Default: the system's temporary folder."`
}

// Shrinking is how much of itself a shop may lose.
type Shrinking struct {
	MaxShrink    float64 `default:"0.5" help:"Refuse the set if the shop has lost more than this share (0 to 1) of its ratings, customers, products or products in stock since the current training set. 0 or 1 turns the check off."`
	AcceptShrink bool    `help:"Accept, this once, a shop that shrank by more than --max-shrink, or has nothing in stock."`
}

func (s Shrinking) validate() error {
	if s.MaxShrink >= 0 && s.MaxShrink <= 1 {
		return nil
	}
	return fmt.Errorf("--max-shrink is %g, want 0 to 1", s.MaxShrink)
}

// RunCommand is `etl`.
type RunCommand struct {
	Reading
	Scratch

	Lake       envconfig.Lake `embed:""`
	Limits     Limits         `embed:""`
	Shrinking  Shrinking      `embed:""`
	PruneAfter time.Duration  `default:"168h" help:"After a commit, delete the files of incomplete runs that are older than this. 0 deletes nothing."`
	DryRun     bool           `help:"Look at up to 10,000 rows of each data set and print what a run would do or refuse. Write nothing."`
	Partition  string         `placeholder:"I/N" help:"Write only partition I of N, counted from 0. Needs --job. If etl plan has not run, the first partition that starts also does what plan would do. When all partitions are written, run etl commit-parts."`
	Job        string         `env:"ETL_JOB" placeholder:"NAME" help:"Name of a job of several partitions. Give plan, every partition and commit-parts the same name, and use a new name for each training set."`
}

// shopAt is a shop that can be opened.
type shopAt struct {
	dsn     string
	preset  string // the shop system that was recognised
	options mysqlsource.Options
}

// find reads the mapping and the secret.
func (s Source) find(ctx context.Context) (shopAt, error) {
	mapping, err := readMapping(ctx, s.Mapping)
	if err = cmp.Or(s.Shop.Check(), s.Preset.check(s.Mapping), err); err != nil {
		return shopAt{}, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	dsn, err := mysqlsecret.DSN(ctx, s.MySQL.DSN, s.MySQLSecret)
	var preset string
	if err == nil && s.Preset.Preset != "" {
		mapping, preset, err = s.Preset.find(ctx, dsn)
	}
	return shopAt{dsn, preset, mysqlsource.Options{Mapping: mapping, StatementLimit: s.StatementLimit}}, err
}

// find is Source's, with the size of a range.
func (r Reading) find(ctx context.Context) (shopAt, error) {
	at, err := r.Source.find(ctx)
	at.options.RangeRows = r.RangeRows
	return at, err
}

// accepting are the options of a look at the shop.
func (r Reading) accepting(limits Limits) Options {
	return Options{Limits: limits, AcceptSchema: r.AcceptSchema, Shop: r.Shop.Name, ReplaceShop: r.ReplaceShop}
}

// read opens the shop for work. Where a table is altered meanwhile, or its collation mixes the
// ratings of several customers, it begins once more, with a new snapshot.
func (s shopAt) read(ctx context.Context, out *program.Output, work func(*mysqlsource.Snapshot) error) error {
	err := s.once(ctx, work)
	if errors.Is(err, mysqlsource.ErrChanged) && ctx.Err() == nil {
		out.Log.WarnContext(ctx, "a table of the shop was altered during the reading; beginning a new snapshot")
		err = s.once(ctx, work)
	}
	if errors.Is(err, errOrder) && !s.options.ByBytes && ctx.Err() == nil {
		out.Log.WarnContext(ctx, "the collation of ratings.customerNumber treats different customers as equal; reading "+
			"again, sorted by bytes")
		s.options.ByBytes = true
		err = s.once(ctx, work)
	}
	if errors.Is(err, mysqlsource.ErrStatementLimit) {
		err = fmt.Errorf("%w; try a smaller --range-rows, or --statement-limit with more time", err)
	}
	return configured(err)
}

func (s shopAt) once(ctx context.Context, work func(*mysqlsource.Snapshot) error) error {
	snapshot, err := mysqlsource.Open(ctx, s.dsn, s.options)
	if err != nil {
		return err
	}
	return errors.Join(work(snapshot), snapshot.Close())
}

// Run extracts the shop.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	if err := c.check(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	repo, list, err := c.open(ctx, c.Lake)
	if err != nil {
		return err
	}
	shop, err := c.find(ctx)
	switch {
	case err != nil:
		return err
	case c.Partition != "":
		return c.partition(ctx, shop, repo, list, out, start)
	case c.DryRun:
		return shop.read(ctx, out, func(snapshot *mysqlsource.Snapshot) error { return c.dryRun(ctx, snapshot, repo, out) })
	}
	var outcome Outcome
	err = shop.read(ctx, out, func(snapshot *mysqlsource.Snapshot) error {
		o, done := c.options(ctx, out)
		defer done()
		o.Erased = list
		if o.Preset = shop.preset; snapshot.Mapped().HasInteractions() {
			outcome, err = RunHistory(ctx, snapshot, repo, o)
		} else {
			outcome, err = Run(ctx, snapshot, repo, o)
		}
		return err
	})
	if err != nil {
		return err
	}
	return outcome.report(ctx, out, start)
}

func (c *RunCommand) check() error {
	problems := []error{c.Limits.Validate(), c.Shrinking.validate()}
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

// progressEvery is how often a run that nobody watches says how far it is.
const progressEvery = 30 * time.Second

// options are those of Run, with progress: a bar where a person watches, else a line now and then.
// done takes the bar away.
func (c *RunCommand) options(ctx context.Context, out *program.Output) (o Options, done func()) {
	bar, said := out.Bar(), time.Now()
	progress := func(ratings, expected int64) {
		bar.Show("ratings", ratings, max(expected, 1))
		if !bar.Visible() && time.Since(said) >= progressEvery {
			said = time.Now()
			out.Log.WarnContext(ctx, "still reading the shop", logkey.Ratings, ratings,
				logkey.RatingsExpected, expected)
		}
	}
	return Options{ScratchDir: c.ScratchDir, Limits: c.Limits, MaxShrink: c.Shrinking.MaxShrink,
		AcceptShrink: c.Shrinking.AcceptShrink, AcceptSchema: c.AcceptSchema, Shop: c.Shop.Name,
		ReplaceShop: c.ReplaceShop, PruneAge: c.PruneAfter, Progress: progress}, bar.Close
}

// open opens the training sets of a lake, and reads who was erased.
func (r Reading) open(ctx context.Context, lake envconfig.Lake) (*commit.Repository, *erased.List, error) {
	store, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", lake.Bucket)
	if err != nil {
		return nil, nil, err
	}
	list, err := erased.ReadWith(ctx, store, r.Erasure)
	return commit.NewRepository(store, envconfig.TrainingSetPrefix), list, err
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
