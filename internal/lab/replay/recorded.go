package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"kindred/internal/lab/visitor"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/linefile"
	"kindred/internal/stream/activity"
)

// ErrNoEvents says that files hold no event: nothing is sent.
var ErrNoEvents = errors.New("no event")

// recorded is a crowd whose clicks lie in files, one event a line, gzipped or not. A recommendation
// record stands for its event, and a line may hold several events as a stream's record may. A line
// that holds none is sent as it is, because it was recorded so, and counted.
type recorded struct {
	next     func() (line, bool)
	stop     func()
	lines    int
	events   int
	noEvents int // lines
	sessions map[string]bool
	erased   *erased.List
	leftOut  int // events of persons on the list
}

// checkFiles fails with ErrNoEvents, and says what is wrong with the first line, when no line of the
// files holds an event.
func checkFiles(files []string) error {
	reason, lines := "", 0
	for _, name := range files {
		number := 0
		for data, err := range readLines(name) {
			if err != nil {
				return err
			}
			number++
			events, fault := eventsIn(data)
			if len(events) > 0 {
				return nil
			}
			if lines++; reason == "" {
				reason = fmt.Sprintf("; line %d of %s: %s", number, name, fault.Message)
			}
		}
	}
	return fmt.Errorf("%w in %s, which has %d lines%s", ErrNoEvents, strings.Join(files, " and "), lines, reason)
}

// eventsIn reads the events of a line; with none it returns why.
func eventsIn(data []byte) (events []activity.Item, fault *activity.Fault) {
	for _, item := range activity.Read(nil, activity.Position{}, data) {
		if item.Fault == nil {
			events = append(events, item)
		} else if fault == nil {
			fault = item.Fault
		}
	}
	return events, fault
}

func readLines(name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		readFile(name, func(l line) bool { return yield(l.data, l.err) })
	}
}

type line struct {
	data []byte
	err  error
}

var _ crowd = (*recorded)(nil)

// newRecorded plays files one after the other, without the events of persons on the list. The caller calls stop.
func newRecorded(files []string, list *erased.List) *recorded {
	r := &recorded{sessions: map[string]bool{}, erased: list}
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
func (r *recorded) Next(time.Time) (visitor.Click, bool, error) {
	l, events, fault := r.line()
	if l.err != nil {
		return visitor.Click{}, false, l.err
	}
	if r.events += len(events); len(events) == 0 {
		r.noEvents++
		key := fmt.Sprintf("line-%d", r.lines) // a partition key must be something
		return visitor.Click{SessionID: key, Data: l.data}, true, nil
	}
	for _, item := range events {
		if item.Event.Answered() {
			r.sessions[item.Event.SessionID] = true
		}
	}
	if len(events) == 1 && fault == nil {
		l.data = events[0].Data // a byte order mark is the file's
	}
	first := events[0].Event
	return visitor.Click{EventID: first.EventID, SessionID: first.PartitionKey(), Data: l.data}, true, nil
}

// line is the next line, with an error after the last one, and its events.
func (r *recorded) line() (l line, events []activity.Item, fault *activity.Fault) {
	for {
		l, ok := r.next()
		if !ok {
			l.err = io.EOF
		}
		if l.err != nil {
			return l, nil, nil //nolint:nilerr // the line has it
		}
		r.lines++
		if record, err := activity.ParseRecord(l.data); err == nil {
			l.data = record.Event
		}
		if events, fault = eventsIn(l.data); len(events) == 0 {
			return l, nil, fault
		}
		kept := r.without(events)
		if len(kept) < len(events) {
			l.data, fault = linesOf(kept), nil
		}
		if len(kept) > 0 {
			return l, kept, fault
		}
	}
}

// without leaves out the events of persons on the list.
func (r *recorded) without(events []activity.Item) (kept []activity.Item) {
	for _, item := range events {
		if r.erased.Row(item.Event.Person()) {
			r.leftOut++
		} else {
			kept = append(kept, item)
		}
	}
	return kept
}

// linesOf is a record with these events.
func linesOf(events []activity.Item) []byte {
	lines := make([][]byte, len(events))
	for i, item := range events {
		lines[i] = item.Data
	}
	return bytes.Join(lines, []byte("\n"))
}

// Show does nothing: what is recorded has happened.
func (r *recorded) Show(string, []string) bool { return false }

// Totals counts the sessions of the events.
func (r *recorded) Totals() visitor.Totals { return visitor.Totals{Sessions: len(r.sessions)} }
