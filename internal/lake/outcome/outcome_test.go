package outcome_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

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
			HitsPages: 1, HitsHits: 1, PurchasesPurchases: 4, Unpriced: 1,
			Revenue: []outcome.Capped{{Cap: 50, Buyers: 1, Above: 1, Revenue: 50, Squares: 2500}, {Cap: 100, Buyers: 1,
				Revenue: 86.7, Squares: 7516.89}}},
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
		if err != nil || changed != first || !cmp.Equal(rows, want) {
			t.Fatalf("committed %v, changed %v, %v", rows, changed, err)
		}
		if got, run, err := outcome.Read(t.Context(), lake); err != nil || run == "" || !cmp.Equal(got, want) {
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

// TestRevenueIsAddedToItsRow: by experiment and part; what everyone paid has a row of its own.
func TestRevenueIsAddedToItsRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name, paid := filepath.Join(dir, "rows.json"), filepath.Join(dir, "paid.json")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name, `[{"experiment":"a","part":"control","visitors":3},{"experiment":"a","part":"treatment"}]`)
	write(paid, `[{"experiment":"","part":"everyone","cap":1,"buyers":200,"above":3},
		{"experiment":"","part":"everyone","cap":2,"buyers":200,"above":2},
		{"experiment":"a","part":"control","cap":2,"buyers":2,"above":1,"revenue":3.5,"squares":6.25}]`)
	if err := outcome.AddRevenue(name, paid); err != nil {
		t.Fatal(err)
	}
	lake, folder := objectstore.NewFolder(t.TempDir()), t.TempDir()
	if err := os.Rename(name, filepath.Join(folder, outcome.File)); err != nil {
		t.Fatal(err)
	}
	rows, _, err := outcome.Commit(t.Context(), lake, folder)
	want := []outcome.Row{
		{Part: outcome.Everyone, Revenue: []outcome.Capped{{Cap: 1, Buyers: 200, Above: 3}, {Cap: 2, Buyers: 200, Above: 2}}},
		{Experiment: "a", Part: outcome.Control, Visitors: 3, Revenue: []outcome.Capped{{Cap: 2, Buyers: 2, Above: 1,
			Revenue: 3.5, Squares: 6.25}}},
		{Experiment: "a", Part: outcome.Treatment},
	}
	if diff := cmp.Diff(want, rows); diff != "" || err != nil {
		t.Errorf("rows (-want +got), %v:\n%s", err, diff)
	}
	for quantile, most := range map[float64]float64{0.99: 2, 0.98: 1, 0.995: 0} {
		if c, ok := outcome.CapAt(rows, quantile); c.Cap != most || ok != (most > 0) {
			t.Errorf("the quantile %g has the cap %+v, %v", quantile, c, ok)
		}
	}
	if _, ok := outcome.CapAt(rows[1:], 0.5); ok {
		t.Error("a cap of nothing")
	}
	if c := rows[1].AtCap(2); c.Revenue != 3.5 {
		t.Errorf("at 2: %+v", c)
	}
	if c := rows[2].AtCap(2); c != (outcome.Capped{Cap: 2}) {
		t.Errorf("of nobody: %+v", c)
	}
}
