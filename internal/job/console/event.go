package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

const (
	// lookTime bounds the look for an event, and mostObjects what it reads.
	lookTime    = 3 * time.Second
	mostObjects = 3000
	// shownBytes is how much of an event is shown.
	shownBytes = 4 << 10
)

// eventPage is the way of an event through the system.
type eventPage struct {
	ID       string // as it was asked for
	Found    bool
	Key      string // of the object on S3
	Record   *activity.Record
	Line     string // the record, indented
	Fault    *activity.Quarantined
	Data     string // of a quarantined event, as text
	Looked   int    // objects that were read
	Since    time.Time
	CutShort bool // there were more
}

// errDone ends a look.
var errDone = errors.New("done")

// event looks for an event by its id, or by that of its recommendation: in the objects that were delivered
// in the window, the newest hour first, and in the quarantine.
func (s *server) event(ctx context.Context, id string) (page eventPage, err error) {
	page = eventPage{ID: id, Since: s.from.feed.Counts().Since}
	if id == "" || s.from.records == nil {
		return page, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err = s.lookInDelivered(ctx, &page)
	if err == nil {
		err = s.lookInQuarantine(ctx, &page)
	}
	if errors.Is(err, errDone) || errors.Is(err, context.DeadlineExceeded) {
		page.CutShort = !page.Found
		err = nil
	}
	return page, err
}

func (s *server) lookInDelivered(ctx context.Context, page *eventPage) error {
	now := s.now().UTC()
	for hour := now.Truncate(time.Hour); !hour.Before(page.Since.Truncate(time.Hour)); hour = hour.Add(-time.Hour) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for info, err := range s.from.records.List(ctx, envconfig.RecommendationPrefix+hour.Format("2006/01/02/15/")) {
			if err != nil {
				return err
			}
			if page.Looked++; page.Looked > mostObjects {
				return errDone
			}
			if err := s.lookInObject(ctx, info.Key, page); err != nil {
				return err
			}
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
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if bytes.Contains(line, []byte(page.ID)) { // an id that JSON escapes is not found
			record, fault := activity.ParseRecord(bytes.TrimSpace(line))
			if fault == nil && (record.Recommendation.EventID == page.ID || record.Recommendation.ID == page.ID) {
				page.Found, page.Key, page.Record, page.Line = true, key, &record, indented(line)
				return errDone
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *server) lookInQuarantine(ctx context.Context, page *eventPage) error {
	for info, err := range s.from.records.List(ctx, envconfig.QuarantinePrefix) {
		if err != nil {
			return err
		}
		if page.Looked++; page.Looked > mostObjects {
			return errDone
		}
		body, _, err := s.from.records.Get(ctx, info.Key)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
		letter, err := deadletter.Read(info.Key, data)
		if err != nil || letter.Quarantined == nil || letter.Quarantined.EventID != page.ID {
			continue
		}
		page.Found, page.Key, page.Fault = true, info.Key, letter.Quarantined
		shown := letter.Quarantined.Data
		page.Data = strings.ToValidUTF8(string(shown[:min(len(shown), shownBytes)]), "\uFFFD")
		return errDone
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
