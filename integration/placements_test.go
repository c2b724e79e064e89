package integration

import (
	"errors"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/lake/objectstore"
	"kindred/internal/serving/vectorstore"
)

// mustPlace makes a file of placements live, and returns its version.
func mustPlace(t *testing.T, store *vectorstore.Store, lake objectstore.Store, file string) string {
	t.Helper()
	r, err := publish.PublishPlacements(t.Context(), publish.Database{Store: store}, lake, "placements.yaml", []byte(file),
		byTest)
	if err != nil {
		t.Fatal(err)
	}
	return r.Version
}

// TestPlacementsGoLiveAndBack: the role that serves reads them with the pointer, whichever version is live.
func TestPlacementsGoLiveAndBack(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := mustReader(t, d)
	limitOf := func(want int) {
		t.Helper()
		traffic, err := reader.Traffic(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		home, known := traffic.Placements.Of("home")
		switch {
		case known != (want > 0):
			t.Errorf("the placements are %+v", traffic.Placements)
		case known && *home.Limit != want:
			t.Errorf("home has the limit %d, not %d", *home.Limit, want)
		}
	}
	limitOf(0)
	if _, err := d.store.RollbackPlacements(t.Context(), byTest); !errors.Is(err, vectorstore.ErrNoPrevious) {
		t.Errorf("rolled back to nothing: %v", err)
	}
	lake := objectstore.NewFolder(t.TempDir())
	first := mustPlace(t, d.store, lake, "format: 1\nplacements:\n  home: {limit: 3}\n")
	limitOf(3)
	second := mustPlace(t, d.store, lake, "format: 1\nplacements:\n  home: {limit: 4}\n  cart: {}\n")
	limitOf(4)
	if _, err := d.store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{first, second, first} { // the second time it goes forward
		if got, err := d.store.RollbackPlacements(t.Context(), byTest); err != nil || got != want {
			t.Errorf("rolled back to %s, not %s: %v", got, want, err)
		}
	}
	limitOf(3)
	versions, err := d.store.PlacedVersions(t.Context())
	if err != nil || len(versions) != 2 || versions[0].Version != second || versions[0].Live || !versions[1].Live ||
		len(versions[0].Names) != 2 {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	history, err := d.store.PlacementsHistory(t.Context())
	if err != nil || len(history) != 5 || history[0].From != "" || history[4].To != first ||
		history[4].Action != vectorstore.ActionRollback {
		t.Errorf("history: %+v, %v", history, err)
	}
	if err := d.check(t.Context()); err != nil {
		t.Error(err)
	}
	// A version that somebody has deleted has a fault, and does not keep others from being answered.
	execPostgres(t, t.Context(), d.owner, `DELETE FROM kindred.placements`)
	traffic, err := mustReader(t, d).Traffic(t.Context())
	if err != nil || traffic.Placements == nil || traffic.Placements.Fault == nil {
		t.Errorf("without the row: %+v, %v", traffic.Placements, err)
	}
}
