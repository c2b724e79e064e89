package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

const (
	shownLetters  = 25
	lettersAtOnce = 8 // reading small objects waits for the store
)

// lettersPage is the dead letters of one reason.
type lettersPage struct {
	Reason  string
	Total   int
	Letters []letterRow // the newest ones
}

// letterRow is one dead letter: a quarantined event, or a batch that Lambda gave up.
type letterRow struct {
	Key      string
	EventID  string // empty: of a batch
	Message  string
	Position activity.Position
	At       time.Time // when it came to quarantine, or the last record of a batch to the stream
	Records  int       // of a batch
	Data     string    // the beginning of an event's bytes, as text
	Sent     bool      // a redrive has dealt with it
	missing  bool      // somebody deleted it meanwhile
}

// letters reads the newest dead letters of a reason.
func (s *server) letters(ctx context.Context, reason string) (p lettersPage, err error) {
	keys := s.from.feed.Letters(reason)
	p.Reason, p.Total = reason, len(keys)
	keys = keys[:min(shownLetters, len(keys))]
	rows := make([]letterRow, len(keys))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(lettersAtOnce)
	for i, key := range keys {
		work.Go(func() (err error) {
			rows[i], err = s.letter(ctx, key)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return p, err
	}
	for _, row := range rows {
		if !row.missing {
			p.Letters = append(p.Letters, row)
		}
	}
	return p, nil
}

func (s *server) letter(ctx context.Context, key string) (row letterRow, err error) {
	row.Key = key
	data, _, err := objectstore.ReadAll(ctx, s.from.records, key)
	if errors.Is(err, objectstore.ErrNotFound) {
		row.missing = true
		return row, nil
	}
	if err != nil {
		return row, err
	}
	letter, err := deadletter.Read(key, data)
	if err != nil {
		return row, err
	}
	if q := letter.Quarantined; q != nil {
		row.EventID, row.Message, row.Position, row.At = q.EventID, q.Message, q.Position, q.QuarantinedAt
		row.Data = strings.ToValidUTF8(string(q.Data[:min(len(q.Data), shownBytes)]), "\uFFFD")
	} else {
		b := letter.Batch
		row.Message = "Lambda gave this batch up after its last try."
		row.Position = activity.Position{Stream: b.Stream, Shard: b.Shard, SequenceNumber: b.First}
		row.At, row.Records = b.Last, len(b.Records)
	}
	_, _, err = objectstore.ReadAll(ctx, s.from.records, envconfig.RedrivenPrefix+key)
	if row.Sent = err == nil; errors.Is(err, objectstore.ErrNotFound) {
		err = nil
	}
	return row, err
}

func (s *server) showLetters(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	p, err := s.letters(ctx, r.URL.Query().Get("reason"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "letters.html", page{Title: "Dead letters", Section: "/stream", Body: p})
}
