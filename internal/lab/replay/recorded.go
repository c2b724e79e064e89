package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"kindred/internal/lab/shopper"
	"kindred/internal/lake/linefile"
	"kindred/internal/stream/activity"
)

// recorded is a crowd whose clicks lie in files, one event a line, gzipped or not. A recommendation
// record stands for its event. What is no event is sent as it is: it was recorded so.
type recorded struct {
	next     func() (line, bool)
	stop     func()
	lines    int
	sessions map[string]bool
}

type line struct {
	data []byte
	err  error
}

var _ crowd = (*recorded)(nil)

// newRecorded plays files one after the other. The caller calls stop.
func newRecorded(files []string) *recorded {
	r := &recorded{sessions: map[string]bool{}}
	r.next, r.stop = iter.Pull(func(yield func(line) bool) {
		for _, name := range files {
			if !readFile(name, yield) {
				return
			}
		}
	})
	return r
}

func readFile(name string, yield func(line) bool) bool {
	file, err := os.Open(name)
	if err != nil {
		return yield(line{err: err})
	}
	defer file.Close() //nolint:errcheck // read only
	for data, err := range linefile.Lines(file) {
		if err != nil {
			err = fmt.Errorf("read %s: %w", name, err)
		}
		if !yield(line{data, err}) {
			return false
		}
	}
	return true
}

// Next gives the next line. Its occurred_at stays what it was.
func (r *recorded) Next(time.Time) (shopper.Click, bool, error) {
	l, ok := r.next()
	if !ok {
		return shopper.Click{}, false, io.EOF
	}
	if l.err != nil {
		return shopper.Click{}, false, l.err
	}
	r.lines++
	if record, err := activity.ParseRecord(l.data); err == nil {
		l.data = record.Event
	}
	var e struct {
		EventID   string `json:"event_id"`
		SessionID string `json:"session_id"`
	}
	if err := json.Unmarshal(l.data, &e); err != nil || e.SessionID == "" || len(e.SessionID) > activity.MaxID {
		e.SessionID = fmt.Sprintf("line-%d", r.lines) // a partition key must be something
	}
	r.sessions[e.SessionID] = true
	return shopper.Click{EventID: e.EventID, SessionID: e.SessionID, Data: l.data}, true, nil
}

// Show does nothing: what is recorded has happened.
func (r *recorded) Show(string, []string) bool { return false }

// Totals counts the sessions.
func (r *recorded) Totals() shopper.Totals { return shopper.Totals{Sessions: len(r.sessions)} }
