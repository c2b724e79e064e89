package feedback

import (
	"testing"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
)

// The joins read no record of an erased person, however the customer's number was written.
func TestRecordsOfErasedPersonsAreLeftOut(t *testing.T) {
	t.Parallel()
	list, _, err := erased.Add(t.Context(), objectstore.NewFolder(t.TempDir()), "a secret of the tests", []string{"7"},
		[]string{"gone"})
	if err != nil {
		t.Fatal(err)
	}
	for event, kept := range map[string]bool{
		`{"session_id":"a","customer_number":7,"browse_history":[]}`:      false,
		`{"session_id":"a","customer_number":"7","browse_history":[]}`:    false,
		`{"session_id":"a","customer_number":7.0,"browse_history":[]}`:    false,
		`{"session_id":"gone","browse_history":[]}`:                       false,
		`{"session_id":"gone","customer_number":8,"browse_history":[]}`:   true,
		`{"session_id":"a","customer_number":"007","browse_history":[]}`:  true,
		`{"session_id":"7","browse_history":[]}`:                          true,
		`{"session_id":"a","customer_number":"gone","browse_history":[]}`: true,
	} {
		out, err := project(nil, []byte(delivered(t, event)), list)
		if err != nil || (len(out) > 0) != kept {
			t.Errorf("%s: %q, %v", event, out, err)
		}
	}
}
