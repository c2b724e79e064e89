package verify

import (
	"strings"
	"testing"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
)

// An event whose answer was deleted with its person is accounted for; that of anybody else is lost.
func TestEventsOfErasedPersonsAreNotLost(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.put("shard-0", "a", `{"session_id":"a","customer_number":7,"browse_history":[]}`)
	h.put("shard-0", "b", `{"session_id":"b","browse_history":[]}`)
	h.deliver(h.answer(h.click("shard-0", "c"), 10*ms))
	list, _, err := erased.Add(t.Context(), objectstore.NewFolder(t.TempDir()), "a secret of the tests", []string{"7"},
		[]string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		list         *erased.List
		erased, lost int64
	}{{list, 2, 0}, {nil, 0, 2}} {
		r, err := New(h, h.folder).Run(t.Context(), Options{Scratch: t.TempDir(), Erased: c.list})
		if err != nil {
			t.Fatal(err)
		}
		if r.Erased != c.erased || r.Lost != c.lost || r.Events != 3 || (r.Fault() == nil) != (c.lost == 0) {
			t.Errorf("%d erased, %d lost of %d: %v", r.Erased, r.Lost, r.Events, r.Fault())
		}
		if strings.Contains(r.String(), "their persons were erased") != (c.erased > 0) {
			t.Error(r)
		}
	}
}
