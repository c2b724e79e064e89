package erase

import (
	"strings"
	"testing"
	"time"
)

// TestResultSaysWhatIsKeptElsewhere: each limit has the date when it ends, the first to end first.
func TestResultSaysWhatIsKeptElsewhere(t *testing.T) {
	t.Parallel()
	c := Command{KeptElsewhere: map[string]time.Duration{"backups": 7 * 24 * time.Hour, "events on the stream": time.Hour}}
	r := c.newResult()
	if len(r.Elsewhere) != 2 || r.Elsewhere[0] != (Kept{"events on the stream", r.At.Add(time.Hour)}) ||
		r.Elsewhere[1] != (Kept{"backups", r.At.AddDate(0, 0, 7)}) {
		t.Errorf("kept elsewhere: %+v", r.Elsewhere)
	}
	for _, k := range r.Elsewhere {
		if text := k.Until.Format("2006-01-02 15:04 UTC at the latest: ") + k.What; !strings.Contains(r.String(), text) {
			t.Errorf("%q is not in\n%s", text, r)
		}
	}
}
