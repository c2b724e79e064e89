package extract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kindred/internal/commit"
	"kindred/internal/envconfig"
	"kindred/internal/mysqlsource"
	"kindred/internal/objectstore"
	"kindred/internal/program"
)

// Description is the first line of the job's help.
const Description = "Extract the shop's database to a training set: one consistent snapshot, committed whole or not at all."

// Command is the command line of the etl job.
type Command struct {
	Run  RunCommand  `cmd:"" default:"withargs" help:"Extract the shop and make it the current training set (the default)."`
	Show ShowCommand `cmd:"" help:"Print the current training set's manifest."`
}

// RunCommand is `etl`.
type RunCommand struct {
	MySQL      envconfig.MySQL `embed:""`
	Lake       envconfig.Lake  `embed:""`
	MaxOrphans float64         `default:"0.01" help:"Share of ratings, 0 to 1, that may name a missing customer or product and are left out."`
	ScratchDir string          `placeholder:"FOLDER" help:"Where files wait for the commit. Default: the system's temporary folder."`
}

// ShowCommand is `etl show`.
type ShowCommand struct {
	Lake envconfig.Lake `embed:""`
}

// Run extracts the shop.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	if !(c.MaxOrphans >= 0 && c.MaxOrphans <= 1) { // also refuses NaN
		return fmt.Errorf("%w: --max-orphans is %g, want 0 to 1", program.ErrConfig, c.MaxOrphans)
	}
	repo, err := openRepository(ctx, c.Lake)
	if err != nil {
		return err
	}
	snapshot, err := mysqlsource.Open(ctx, c.MySQL.DSN)
	if err != nil {
		return configured(err)
	}
	bar, expected := out.Bar(), int64(progressRows)
	if bar.Visible() {
		if expected, err = snapshot.EstimateRatings(ctx); err != nil {
			return errors.Join(err, snapshot.Close())
		}
	}
	progress := func(ratings int64) { bar.Show("ratings", ratings, expected) }
	m, details, changed, err := Run(ctx, snapshot, repo, Options{ScratchDir: c.ScratchDir, MaxOrphans: c.MaxOrphans, Progress: progress})
	bar.Close()
	if err = errors.Join(err, snapshot.Close()); err != nil {
		return configured(err)
	}
	result := newResult(m, details, changed, time.Since(start))
	return out.Result(result.sentence(), result)
}

// Run prints the current manifest.
func (c *ShowCommand) Run(ctx context.Context, out *program.Output) error {
	repo, err := openRepository(ctx, c.Lake)
	if err != nil {
		return err
	}
	m, err := repo.Current(ctx)
	if err != nil {
		return fmt.Errorf("show training set: %w", err)
	}
	return out.Result(describe(m), m)
}

func openRepository(ctx context.Context, lake envconfig.Lake) (*commit.Repository, error) {
	if lake.Bucket == "" {
		return nil, fmt.Errorf("%w: LAKE_BUCKET is empty, want a bucket, s3://bucket/prefix or file:///folder", program.ErrConfig)
	}
	store, err := objectstore.Open(ctx, lake.Bucket)
	if err != nil {
		return nil, configured(fmt.Errorf("open lake: %w", err))
	}
	return commit.NewRepository(store, envconfig.TrainingSetPrefix), nil
}

// configured marks the errors that other flags or variables mend.
func configured(err error) error {
	if errors.Is(err, mysqlsource.ErrSettings) || errors.Is(err, objectstore.ErrLocation) {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	return err
}
