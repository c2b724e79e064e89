package redrive

import (
	"regexp"
	"testing"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/golden"
	"kindred/internal/stream/deadletter"
)

// TestGoldenMarker holds what says that an object's records were sent again. Only its time depends on
// when the test runs.
func TestGoldenMarker(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.mustQuarantine(t, position(1), event("e-1"))
	b.mustRedrive(t)
	data, _, err := objectstore.ReadAll(t.Context(), b.Folder, markerKey(deadletter.Key(position(1))))
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`"redriven_at":"[^"]+"`).ReplaceAll(data, []byte(`"redriven_at":"2026-03-01T13:00:00Z"`))
	golden.Equal(t, "marker.json", golden.Indent(t, data))
}
