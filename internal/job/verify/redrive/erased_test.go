package redrive

import (
	"strings"
	"testing"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
)

// Of a failed batch and a quarantined record, the events of erased persons are not sent. The others are.
func TestEventsOfErasedPersonsAreNotSent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	const gone = `{"event_id":"mine","session_id":"s","customer_number":7,"browse_history":[]}`
	b.mustFail(t, "aws/lambda/batch", 1, event("first"), gone, event("second"))
	b.mustQuarantine(t, position(9), gone)
	list, _, err := erased.Add(t.Context(), objectstore.NewFolder(t.TempDir()), "a secret of the tests",
		[]string{"7"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.erased = list
	r := b.mustRedrive(t)
	if r.Sent != 2 || r.Erased != 2 || len(b.taken) != 2 || strings.Contains(strings.Join(b.taken, ""), "mine") {
		t.Errorf("%+v, the stream took %v", r, b.taken)
	}
	if !strings.Contains(r.String(), "2 events are of persons who were erased") {
		t.Error(r.String())
	}
}
