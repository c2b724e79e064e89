package etl

import (
	"context"
	"fmt"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// ShowCommand is `etl show`.
type ShowCommand struct {
	Lake envconfig.Lake `embed:""`
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
	return out.Result(describe(m), Show(m))
}

// VerifyCommand is `etl verify`.
type VerifyCommand struct {
	Lake envconfig.Lake `embed:""`
}

// Verified is what `etl verify` found whole.
type Verified struct {
	RunID       string  `json:"run_id"`
	ContentHash string  `json:"content_hash"`
	Files       int     `json:"files"`
	Rows        Rows    `json:"rows"`
	Bytes       int64   `json:"bytes"`
	WallSeconds float64 `json:"wall_seconds"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	MaxRSSBytes int64   `json:"max_rss_bytes"`
}

// Run checks all files of the current set. A damaged one is exit code 1.
func (c *VerifyCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	repo, err := openRepository(ctx, c.Lake)
	if err != nil {
		return err
	}
	m, err := repo.Current(ctx)
	if err == nil {
		err = repo.Verify(ctx, m)
	}
	if err != nil {
		return fmt.Errorf("verify training set: %w", oneLine(err))
	}
	v := Verified{RunID: m.Run, ContentHash: m.ContentHash, Files: len(m.Files), Rows: rowsOf(m), Bytes: m.Bytes()}
	v.WallSeconds, v.CPUSeconds, v.MaxRSSBytes = cost(start)
	return out.Result(fmt.Sprintf("Training set %s is whole: %d files, %s, %.1f MB, every hash as its manifest lists it; "+
		"%.1f s.", v.RunID, v.Files, v.Rows, float64(v.Bytes)/1e6, v.WallSeconds), v)
}

// PruneCommand is `etl prune`.
type PruneCommand struct {
	Lake      envconfig.Lake `embed:""`
	OlderThan time.Duration  `default:"168h" help:"Delete files that are older than this: at least 1h, and longer than any run takes."`
}

// Run deletes the files of runs that were never completed.
func (c *PruneCommand) Run(ctx context.Context, out *program.Output) error {
	if c.OlderThan < commit.MinPruneAge {
		return fmt.Errorf("%w: --older-than is %v, want at least %v", program.ErrConfig, c.OlderThan, commit.MinPruneAge)
	}
	repo, err := openRepository(ctx, c.Lake)
	if err != nil {
		return err
	}
	pruned, err := repo.Prune(ctx, c.OlderThan)
	if err != nil {
		return err
	}
	return out.Result(fmt.Sprintf("Deleted %d objects (%.1f MB) of %d runs that were never completed.", pruned.Objects,
		float64(pruned.Bytes)/1e6, len(pruned.Runs)), pruned)
}
