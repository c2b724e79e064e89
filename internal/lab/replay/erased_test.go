package replay

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/shardwriter"
)

// Recorded events of persons who were erased are not sent; all other events of the same lines are.
func TestRecordedEventsOfErasedPersonsAreLeftOut(t *testing.T) {
	t.Parallel()
	list, _, err := erased.Add(t.Context(), objectstore.NewFolder(t.TempDir()), "a secret of the tests", []string{"7"},
		[]string{"gone"})
	if err != nil {
		t.Fatal(err)
	}
	const gone, mine, shared = `{"session_id":"gone","browse_history":[]}`,
		`{"session_id":"a","customer_number":7,"browse_history":[]}`,
		`{"session_id":"gone","customer_number":8,"browse_history":[]}`
	name := filepath.Join(t.TempDir(), "clicks")
	lines := strings.Join([]string{gone, mine, "no JSON", shared, "[" + gone + "," + shared + "," + mine + "]", mine},
		"\n")
	if err := os.WriteFile(name, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stream{}
	recording := newRecorded([]string{name}, list)
	defer recording.stop()
	p := newPlayer(Plan{Events: math.MaxInt}, recording, shardwriter.New(s, "clicks", retry.Sleep), func(int) {})
	_, err = p.run(t.Context())
	if err != nil || recording.events != 2 || recording.leftOut != 5 || recording.noEvents != 1 {
		t.Errorf("%d events, %d left out, %d lines without, %v", recording.events, recording.leftOut, recording.noEvents, err)
	}
	for _, r := range s.taken {
		if data := string(r.Data); data != shared && data != "no JSON" {
			t.Errorf("sent %s", data)
		}
	}
	if len(s.taken) != 3 {
		t.Errorf("%d records were sent", len(s.taken))
	}
}
