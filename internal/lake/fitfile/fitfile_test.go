package fitfile

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
)

// mustExport writes two parts of n interactions, and one question, as run.
func mustExport(t *testing.T, store objectstore.Store, run string, n int, details any) {
	t.Helper()
	w := NewWriter(t.TempDir())
	w.fileRows = 3
	rows := make([]Interaction, n)
	for i := range rows {
		rows[i] = Interaction{Customer: int32(i), Product: int32(2 * i), Confidence: float32(i) / 2}
	}
	err := errors.Join(w.Questions(slices.Values([]Question{{7, 8, true}})), w.Part("one", slices.Values(rows)),
		w.Part("two", slices.Values(rows[:0])), w.Commit(t.Context(), store, run, details))
	if err != nil {
		t.Fatal(err)
	}
}

func mustPut(t *testing.T, store objectstore.Store, key, content string) {
	t.Helper()
	_, err := store.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), objectstore.Condition{})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnExportIsReadAsItWasWritten: whole, in files of a bounded size, with its details.
func TestAnExportIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	for n := range 8 {
		run := "m" + strings.Repeat("0", n+1)
		mustExport(t, store, run, n, map[string]int{"n": n})
		var details map[string]int
		export, err := Open(t.Context(), store, run, &details)
		if err != nil || details["n"] != n {
			t.Fatalf("open %s: %v, %v", run, details, err)
		}
		sets := export.DataSets()
		if len(sets) != 3 || len(sets["one"]) != max(1, (n+2)/3) || len(sets["two"]) != 1 || len(sets[Questions]) != 1 {
			t.Errorf("%d interactions: the data sets are %v", n, sets)
		}
		var got []Interaction
		for _, file := range sets["one"] {
			rows, err := parquet.ReadFile[Interaction](filepath.Join(strings.TrimPrefix(export.URL(), "file://"), file))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rows...)
		}
		if len(got) != n || n > 0 && got[n-1] != (Interaction{int32(n - 1), int32(2*n - 2), float32(n-1) / 2}) {
			t.Errorf("of %d interactions %v were read", n, got)
		}
	}
	if _, err := Open(t.Context(), store, "m1", nil); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("an export that is not there: %v", err)
	}
}

// TestEqualPartsOfTwoExports: the second is there too, and an export is never changed.
func TestEqualPartsOfTwoExports(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	var details string
	for _, run := range []string{"m1", "m2", "m1"} {
		mustExport(t, store, run, 2, "the same")
		if _, err := Open(t.Context(), store, run, &details); err != nil || details != "the same" {
			t.Errorf("open %s: %q, %v", run, details, err)
		}
	}
	w := NewWriter(t.TempDir())
	err := errors.Join(w.Questions(slices.Values([]Question{{1, 1, true}})), w.Commit(t.Context(), store, "m1", "other"))
	if !errors.Is(err, commit.ErrRunTaken) {
		t.Errorf("other content under the same name: %v", err)
	}
}

// TestTheFirstWholeAttemptIsChosen: none before all of its folders are complete, and none after it.
func TestTheFirstWholeAttemptIsChosen(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	mustExport(t, store, "m1", 5, "")
	var details string
	export, err := Open(t.Context(), store, "m1", &details)
	if err != nil {
		t.Fatal(err)
	}
	put := func(attempt, name, content string) {
		mustPut(t, store, path.Join(export.folder(), "attempt="+attempt, name), content)
	}
	for _, attempt := range []string{"a", "b"} {
		for _, folder := range []string{"one/products", "two/products"} {
			if chosen, err := export.Choose(t.Context(), attempt); attempt == "a" && (!errors.Is(err, ErrFits) || chosen != "") {
				t.Errorf("without %s: chosen %q, %v", folder, chosen, err)
			}
			put(attempt, folder+"/part-00000.csv", "id,embedding\n7,\"[1, 0.5]\"\n")
			put(attempt, folder+"/._SUCCESS.crc", "x")
			put(attempt, folder+"/_SUCCESS", "")
		}
		if chosen, err := export.Choose(t.Context(), attempt); err != nil || chosen != "a" {
			t.Errorf("attempt %s: chosen %q, %v", attempt, chosen, err)
		}
	}
	for _, attempt := range []string{"", "a/b", ".."} {
		other, err := Open(t.Context(), store, "m1", &details)
		if err != nil {
			t.Fatal(err)
		}
		if chosen, err := other.Choose(t.Context(), attempt); chosen != "a" || err != nil {
			t.Errorf("attempt %q after a choice: %q, %v", attempt, chosen, err)
		}
	}
	mustExport(t, store, "m2", 1, "")
	second, err := Open(t.Context(), store, "m2", &details)
	if err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"", "a/b", ".."} {
		if _, err := second.Choose(t.Context(), attempt); !errors.Is(err, ErrFits) {
			t.Errorf("attempt %q: %v", attempt, err)
		}
	}
	scratch := t.TempDir()
	vectors, err := export.Vectors(t.Context(), "a", "one", scratch)
	if err != nil || !slices.Equal(vectors.IDs, []string{"7"}) || !slices.Equal(vectors.Values, []float32{1, 0.5}) {
		t.Errorf("vectors %v, %v", vectors, err)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
