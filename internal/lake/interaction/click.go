package interaction

import (
	"context"
	"fmt"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// Click is a visitor's look at a product in a session. A product may be clicked again.
type Click struct {
	SessionID   string `parquet:"session_id"`
	CustomerID  string `parquet:"customer_number,optional"` // empty: the session's visitor is no known customer
	ProductCode string `parquet:"product_code"`
	OccurredAt  int64  `parquet:"occurred_at"` // milliseconds since 1970 UTC
}

// Names in the manifest of a set of clicks.
const (
	ClickKind              = "clicks"         // of the manifest
	ClickSchemaFingerprint = "clicks-1"       // layout of the file
	ClickFile              = "clicks.parquet" // the one file
	ClickDataSet           = "clicks"         // that the file belongs to
)

// CommitClicks makes the file in dir, which has so many rows, the current clicks. changed says whether others were
// current before.
func CommitClicks(ctx context.Context, lake objectstore.Store, dir string, rows int64) (changed bool, err error) {
	_, changed, err = commit.NewRepository(lake, envconfig.ClickPrefix).Commit(ctx, commit.Draft{Kind: ClickKind,
		SchemaFingerprint: ClickSchemaFingerprint, Dir: dir,
		Files: []commit.File{{Path: ClickFile, DataSet: ClickDataSet, Rows: rows}}})
	return changed, err
}

// ReadClicks loads the current clicks, by session and in their order, and the run that has them. It needs scratchDir
// (empty: the system's) for a copy of the file. ErrSchema, commit.ErrNoCurrent before the first commit, or
// commit.ErrCorrupt when the file is damaged.
func ReadClicks(ctx context.Context, lake objectstore.Store, scratchDir string) (all []Click, run string, err error) {
	repo := commit.NewRepository(lake, envconfig.ClickPrefix)
	m, err := repo.Current(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("find the clicks of sessions: %w", err)
	}
	if m.Kind != ClickKind || m.SchemaFingerprint != ClickSchemaFingerprint || len(m.Files) != 1 {
		return nil, "", fmt.Errorf("read run %s of kind %s: %w", m.Run, m.Kind, ErrSchema)
	}
	all, err = readRun(ctx, repo, m, scratchDir, readFile[Click])
	return all, m.Run, err
}
