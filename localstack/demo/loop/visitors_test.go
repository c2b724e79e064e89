package loop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kindred/internal/platform/envconfig"
)

// A delivered event is as its sender wrote it: a quantity may be a string.
func TestLatestRecordsReadsWhatIsDelivered(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("../../../internal/stream/activity/testdata/record.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(golden, []byte(`"quantity": "`)) {
		t.Fatal("no quantity of the golden record is a string")
	}
	var line bytes.Buffer
	if err := json.Compact(&line, golden); err != nil {
		t.Fatal(err)
	}
	bucket := t.TempDir()
	object := filepath.Join(bucket, filepath.FromSlash(envconfig.RecommendationPrefix), "object")
	if err := os.MkdirAll(filepath.Dir(object), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object, append(line.Bytes(), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	latest, err := latestRecords(t.Context(), "file://"+bucket, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(latest) != 1 {
		t.Fatalf("%d sessions, want 1", len(latest))
	}
	for session, found := range latest {
		if session != found.event.SessionID || len(found.event.BrowseHistory) == 0 {
			t.Errorf("session %s: %+v", session, found.event)
		}
	}
}
