package commit

import (
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/golden"
)

func TestGoldenTombstone(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	r := NewRepository(store, "training-set")
	r.now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	if err := r.bury(t.Context(), "89a5950a401f7084"); err != nil {
		t.Fatal(err)
	}
	data, _, err := objectstore.ReadAll(t.Context(), store, "training-set/run=89a5950a401f7084/"+ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "tombstone.json", golden.Indent(t, data))
}
