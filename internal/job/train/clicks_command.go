package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/nextitem"
	"kindred/internal/platform/checksum"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// SessionsCommand is `train sessions`.
type SessionsCommand struct {
	Lake       envconfig.Lake      `embed:"" set:"lake_use=the clicks that feedback found"`
	Artifacts  envconfig.Artifacts `embed:""`
	Clicks     string              `placeholder:"FILE" help:"Clicks of sessions: tab-separated, with a header that names SessionId, ItemId and Time (unix seconds). Default: the clicks that feedback found in the delivered recommendations."`
	Shop       string              `placeholder:"NAME" help:"Name of the shop that the version is for. Default: that of the newest model version."`
	LargestDim int                 `default:"256" help:"Largest number of components of a vector that tuning may choose."`
	Epochs     int                 `default:"10" help:"Passes over all sessions and products in the final fits."`
	Seed       uint64              `default:"1" help:"Seed of the random initial vectors."`
	Threads    int                 `default:"0" help:"Number of processors to use. 0 uses all. The version does not depend on it."`
	ScratchDir string              `placeholder:"FOLDER" help:"Folder for temporary files. Default: the system's temporary folder."`
}

// Run makes the version.
func (c *SessionsCommand) Run(ctx context.Context, out *program.Output) error {
	if c.LargestDim < smallestDim || c.LargestDim > 1024 || c.Epochs < 1 {
		return fmt.Errorf("%w: largest dimension is %d (want %d to 1024), epochs are %d (want 1 or more)",
			program.ErrConfig, c.LargestDim, smallestDim, c.Epochs)
	}
	bar := out.Bar()
	defer bar.Close()
	job := ClicksJob{Shop: c.Shop, LargestDim: c.LargestDim, Epochs: c.Epochs, Seed: c.Seed, Threads: c.Threads,
		ScratchDir: c.ScratchDir, Progress: bar.Show}
	var err error
	if job.Log, job.Hash, err = c.log(ctx); err != nil {
		return err
	}
	if job.Artifacts, err = objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", c.Artifacts.Bucket); err != nil {
		return err
	}
	result, err := job.Run(ctx)
	bar.Close()
	if err != nil {
		return err
	}
	return out.Result(result.sentence(), result)
}

// log reads the clicks, and returns a hash of them.
func (c *SessionsCommand) log(ctx context.Context) (l *nextitem.Log, hash string, err error) {
	if c.Clicks == "" {
		return c.delivered(ctx)
	}
	data, err := readFile(c.Clicks, io.ReadAll)
	if err == nil {
		if l, err = nextitem.Read(bytes.NewReader(data)); err != nil {
			err = fmt.Errorf("read %s: %w", c.Clicks, err)
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	return l, checksum.Bytes(data), nil
}

// delivered reads the clicks that feedback found.
func (c *SessionsCommand) delivered(ctx context.Context) (l *nextitem.Log, hash string, err error) {
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return nil, "", err
	}
	found, run, err := interaction.ReadClicks(ctx, lake, c.ScratchDir)
	if errors.Is(err, commit.ErrNoCurrent) {
		return nil, "", fmt.Errorf("%w: the lake has no clicks yet: run feedback first, or name a file with --clicks: %w",
			program.ErrConfig, err)
	}
	if err != nil {
		return nil, "", err
	}
	var clicks nextitem.Clicks
	for _, click := range found {
		clicks.Add(click.SessionID, click.ProductCode, float64(click.OccurredAt)/1000)
	}
	return clicks.Log(), checksum.Bytes([]byte(run)), nil
}
