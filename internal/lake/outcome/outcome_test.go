package outcome_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/platform/golden"
)

func TestGoldenRowsAreCommittedAndRead(t *testing.T) {
	t.Parallel()
	want := []outcome.Row{
		{Experiment: "new-model", Part: outcome.Control, Visitors: 2, Pages: 5, Hits: 3, Carts: 1, PagesPages: 13,
			HitsPages: 8, HitsHits: 5, CartsCarts: 1},
		{Experiment: "new-model", Part: outcome.Treatment, Visitors: 1, Pages: 1, Hits: 1, Purchases: 2, PagesPages: 1,
			HitsPages: 1, HitsHits: 1, PurchasesPurchases: 4},
		{Experiment: "new-model", Part: outcome.Waiting, Visitors: 1, Pages: 4, PagesPages: 16},
	}
	data, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "outcomes.json", append(data, '\n'))
	lake, dir := objectstore.NewFolder(t.TempDir()), t.TempDir()
	if _, _, err := outcome.Read(t.Context(), lake); !errors.Is(err, commit.ErrNoCurrent) {
		t.Errorf("before the first commit: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, outcome.File), data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, first := range []bool{true, false} {
		rows, changed, err := outcome.Commit(t.Context(), lake, dir)
		if err != nil || changed != first || !slices.Equal(rows, want) {
			t.Fatalf("committed %v, changed %v, %v", rows, changed, err)
		}
		if got, run, err := outcome.Read(t.Context(), lake); err != nil || run == "" || !slices.Equal(got, want) {
			t.Errorf("read %v of run %q, %v", got, run, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, outcome.File), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := outcome.Commit(t.Context(), lake, dir); err == nil {
		t.Error("half a file was committed")
	}
}
