package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/delivery"
)

const (
	// lookTime bounds the look into what came since the roll-up, and mostObjects what it reads.
	lookTime    = 700 * time.Millisecond
	mostObjects = 3000
	// rolledLate is how long before the roll-up's time the folders of objects begin that came after it.
	rolledLate = 20 * time.Minute
	// shownBytes is how much of an event is shown.
	shownBytes = 4 << 10
)

// eventPage is the way of an event through the system.
type eventPage struct {
	ID       string // as it was asked for
	Key      string // of the object on S3; empty: it was not found
	Record   *activity.Record
	Line     string // the record, indented
	Fault    *activity.Quarantined
	Data     string    // of a quarantined event, as text
	Batch    bool      // it is in a batch that Lambda gave up
	Others   []string  // further objects that hold it
	AsOf     time.Time // of the roll-up; zero: there is none
	Looked   int       // objects that came since and were read
	Since    time.Time // they came after
	CutShort bool      // there were more
}

// errDone ends a look.
var errDone = errors.New("done")

// event looks for an event by its id, or by that of its recommendation: in the index of the roll-up, and if it is not
// there, in what came since, the newest hour first. Without a roll-up that is the window.
func (s *server) event(ctx context.Context, id string) (page eventPage, err error) {
	page = eventPage{ID: id, Since: s.from.feed.Counts().Since}
	if id == "" || s.from.records == nil {
		return page, nil
	}
	if s.from.rolled != nil {
		if err := s.lookInIndex(ctx, &page); err != nil && !errors.Is(err, commit.ErrNoCurrent) || page.Key != "" {
			return page, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err = s.lookInDelivered(ctx, &page)
	if err == nil {
		err = s.lookInLetters(ctx, &page)
	}
	if errors.Is(err, errDone) || errors.Is(err, context.DeadlineExceeded) {
		page.CutShort = page.Key == ""
		err = nil
	}
	return page, err
}

// lookInIndex asks the roll-up.
func (s *server) lookInIndex(ctx context.Context, page *eventPage) error {
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	found, asOf, err := s.from.rolled.Find(ctx, page.ID)
	if err != nil {
		return err
	}
	page.AsOf, page.Since = asOf, asOf
	for i, f := range found {
		switch {
		case i > 0:
			page.Others = append(page.Others, f.Key)
		case f.Letter != nil:
			page.showLetter(f.Key, *f.Letter)
		default:
			if err := page.showLine(f.Key, f.Line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (page *eventPage) showLine(key string, line []byte) error {
	record, err := activity.ParseRecord(bytes.TrimSpace(line))
	if err != nil {
		return err
	}
	page.Key, page.Record, page.Line = key, &record, indented(line)
	return nil
}

func (page *eventPage) showLetter(key string, letter deadletter.Letter) {
	page.Key, page.Fault, page.Batch = key, letter.Quarantined, letter.Quarantined == nil
	if page.Fault != nil {
		shown := page.Fault.Data
		page.Data = strings.ToValidUTF8(string(shown[:min(len(shown), shownBytes)]), "\uFFFD")
	}
}

func (s *server) lookInDelivered(ctx context.Context, page *eventPage) error {
	now := s.now().UTC()
	first := page.Since.Add(-rolledLate).Truncate(time.Hour)
	for hour := now.Truncate(time.Hour); !hour.Before(first); hour = hour.Add(-time.Hour) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, folder := range delivery.Folders(hour) {
			if err := s.lookInFolder(ctx, folder, page); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) lookInFolder(ctx context.Context, folder string, page *eventPage) error {
	for info, err := range s.from.records.List(ctx, folder) {
		if err != nil {
			return err
		}
		if info.Modified.Before(page.Since.Add(-rolledLate)) {
			continue
		}
		if page.Looked++; page.Looked > mostObjects {
			return errDone
		}
		if err := s.lookInObject(ctx, info.Key, page); err != nil {
			return err
		}
	}
	return nil
}

// lookInObject ends with errDone when the event is in the object.
func (s *server) lookInObject(ctx context.Context, key string, page *eventPage) (err error) {
	body, _, err := s.from.records.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	for line, err := range linefile.Lines(body) {
		if err := errors.Join(err, ctx.Err()); err != nil { // an object may have megabytes
			return err
		}
		if !bytes.Contains(line, []byte(page.ID)) { // an id that JSON escapes is found once it is rolled up
			continue
		}
		r, fault := activity.ParseRecommendation(line)
		if fault == nil && (r.EventID == page.ID || r.ID == page.ID) {
			return errors.Join(page.showLine(key, line), errDone)
		}
	}
	return nil
}

func (s *server) lookInLetters(ctx context.Context, page *eventPage) error {
	for _, prefix := range deadletter.Prefixes {
		for info, err := range s.from.records.List(ctx, prefix) {
			if err != nil {
				return err
			}
			if info.Modified.Before(page.AsOf.Add(-rolledLate)) {
				continue
			}
			if page.Looked++; page.Looked > mostObjects {
				return errDone
			}
			data, _, err := objectstore.ReadAll(ctx, s.from.records, info.Key)
			if err != nil {
				return err
			}
			letter, err := deadletter.Read(info.Key, data)
			if err == nil && slices.Contains(letter.EventIDs(), page.ID) {
				page.showLetter(info.Key, letter)
				return errDone
			}
		}
	}
	return nil
}

// indented is a line of JSON as people read it.
func indented(line []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, bytes.TrimSpace(line), "", "  ") != nil {
		return string(line)
	}
	return b.String()
}

func (s *server) showEvent(w http.ResponseWriter, r *http.Request) {
	p, err := s.event(r.Context(), strings.TrimSpace(r.URL.Query().Get("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "event.html", page{Title: "Event", Section: "/stream", Body: p})
}
