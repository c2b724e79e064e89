package publish

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/lake/objectstore"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
)

// placedIn is a vector database that holds placements.
type placedIn struct {
	live, rules string
	fault       error
}

func (p *placedIn) Migrate(context.Context) error { return p.fault }

func (p *placedIn) PublishPlacements(_ context.Context, version string, rules []byte,
	_ vectorstore.PromoteOptions) (bool, error) {
	changed := p.live != version
	p.live, p.rules = version, string(rules)
	return changed, nil
}

// TestPlacementsGoLive: the file is kept as it is, a second run changes nothing, and another file is another version.
func TestPlacementsGoLive(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lake, db := objectstore.NewFolder(folder), &placedIn{}
	const first = "format: 1\nplacements:\n  home: {limit: 3} # ours\n"
	run := func(file string) (PlacementsResult, error) {
		return PublishPlacements(t.Context(), db, lake, "shop.yaml", []byte(file), vectorstore.PromoteOptions{Actor: "test"})
	}
	r, err := run(first)
	if err != nil || r.NoOp || len(r.Version) != 16 || len(r.Placements) != 1 || r.Placements[0] != "home" ||
		db.live != r.Version {
		t.Fatalf("published: %+v, %v, live %s", r, err, db.live)
	}
	path := filepath.Join(folder, "placements", r.Version, "placements.yaml")
	if kept, err := os.ReadFile(path); err != nil || string(kept) != first {
		t.Errorf("kept: %q, %v", kept, err)
	}
	if home, known := recommend.ReadPlacements(r.Version, []byte(db.rules)).Of("home"); !known || *home.Limit != 3 {
		t.Errorf("rules: %s", db.rules)
	}
	if again, err := run(first); err != nil || !again.NoOp || again.Version != r.Version {
		t.Errorf("published again: %+v, %v", again, err)
	}
	if other, err := run(first + "\n"); err != nil || other.NoOp || other.Version == r.Version {
		t.Errorf("another file: %+v, %v", other, err)
	}
	if err := os.WriteFile(path, []byte("format: 1\nplacements: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(first); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("a version that was changed in the lake: %v", err)
	}
}

// TestAFaultyFileIsNotPublished: each fault has file and line, and nothing was written.
func TestAFaultyFileIsNotPublished(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lake, db := objectstore.NewFolder(filepath.Join(folder, "lake")), &placedIn{}
	_, err := PublishPlacements(t.Context(), db, lake, "shop.yaml",
		[]byte("format: 1\nplacements:\n  a: {limit: 0}\n  b: {list: best}\n"), vectorstore.PromoteOptions{})
	var fault *fileError
	if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), "shop.yaml: line 3: placement a: limit") ||
		!strings.Contains(err.Error(), "\nshop.yaml: line 4: placement b: list") {
		t.Errorf("faults: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "lake")); !errors.Is(err, os.ErrNotExist) || db.live != "" {
		t.Errorf("something was written: %v, %s", err, db.live)
	}
	db.fault = vectorstore.ErrDamaged
	if _, err := PublishPlacements(t.Context(), db, lake, "shop.yaml", []byte("format: 1\nplacements: {}\n"),
		vectorstore.PromoteOptions{}); !errors.Is(err, vectorstore.ErrDamaged) || db.live != "" {
		t.Errorf("in a damaged database: %v, %s", err, db.live)
	}
}
