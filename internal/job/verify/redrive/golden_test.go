package redrive

import (
	"encoding/json"
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

// TestGoldenResult holds the result of a redrive that finds a part of a failed batch gone.
func TestGoldenResult(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.mustQuarantine(t, position(1), event("e-1"))
	b.kept = []deadletter.Record{recordAt(12), recordAt(13)}
	b.mustPut(t, "aws/lambda/0b0d6b83/batch", batchInfo("clicks", 11, 13, true))
	r := b.mustRedrive(t)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "result.json", golden.Indent(t, data))
	golden.Equal(t, "result.txt", []byte(r.String()+"\n"))
}
