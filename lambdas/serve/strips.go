package main

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// strips answers an event that asks for several placements: the event, and a strip for each of them, with a record of
// its own. A record that is not delivered has no id; the others have theirs.
func (s *server) strips(w http.ResponseWriter, r *http.Request, data []byte, event *activity.Event, a recommend.Answer,
	arrived time.Time) {
	parts := append([]recommend.Answer{a}, a.More...)
	strips := make([]activity.Strip, len(parts))
	group, ctx := errgroup.WithContext(r.Context())
	for i, part := range parts {
		group.Go(func() (err error) {
			strips[i].Items, err = s.recommended(ctx, viewOf(part.Fields), part)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		s.unavailable(w, r, err)
		return
	}
	var delivering sync.WaitGroup
	for i, record := range s.recordsOf(r, a, data, event, arrived, nil) {
		delivering.Go(func() {
			strips[i].Delivered = s.deliver(r, &record)
			strips[i].Record = record
		})
	}
	delivering.Wait()
	line, err := activity.AppendStrips(nil, strips)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.note(r, send(w, http.StatusOK, "application/json", line))
}
