package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/ingest"
)

const (
	// maxEvents is how many events a request may bring, and maxPageEvents with a publishable key.
	maxEvents     = 500
	maxPageEvents = 20
	// putTime bounds how long a request waits for the stream.
	putTime = 2 * time.Second
)

// stream takes records; package ingest documents it.
type stream interface {
	Put(ctx context.Context, records []ingest.Record) (failed []int, err error)
}

// Reasons of an event that no reason of an activity.Fault covers.
const (
	reasonForbidden   activity.Reason = "forbidden"   // the key does not allow it
	reasonUnavailable activity.Reason = "unavailable" // the stream did not take it; send it again
)

// eventResult is what became of one event. Status is what a request with this event alone gets.
type eventResult struct {
	EventID string          `json:"event_id"` // empty if the event cannot be read and has none
	Status  int             `json:"status"`
	Reason  activity.Reason `json:"reason,omitempty"`
	Detail  string          `json:"detail,omitempty"`
}

// eventsAnswer says what became of each event, in their order.
type eventsAnswer struct {
	Accepted int           `json:"accepted"`
	Events   []eventResult `json:"events"`
}

// events puts what a request says onto the stream: one event, a JSON array, lines of JSON, or an object with the
// member events. It answers after the stream has taken the events.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	if s.stream == nil {
		s.problem(w, r, http.StatusNotFound, "this server takes no events: start it with ACTIVITY_STREAM")
		return
	}
	body, problem := eventsIn(w, r)
	if problem != nil {
		s.sendProblem(w, r, *problem)
		return
	}
	most := maxEvents
	if k := callerKey(r.Context()); k != nil && !k.secret() {
		most = maxPageEvents
	}
	position := httpPosition("", s.now())
	items := activity.Read(nil, position, body)
	if len(items) > most {
		s.problem(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the request has %d events, the limit is %d",
			len(items), most))
		return
	}
	results := make([]eventResult, len(items))
	var sound []int // indexes in items
	for i := range items {
		if results[i] = s.check(r.Context(), &items[i]); results[i].Status == http.StatusAccepted {
			sound = append(sound, i)
		}
	}
	s.putEvents(r.Context(), items, sound, results)
	for _, i := range sound {
		if s.onlooker.ids != nil && results[i].Status == http.StatusAccepted {
			s.onlooker.ids(r.Context(), results[i].EventID, "")
		}
	}
	s.answerEvents(w, r, results)
}

// eventsIn reads the body: a page sends text/plain where it may not ask first, and nothing at all as it says goodbye.
func eventsIn(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	if given := r.Header.Get("Content-Type"); given != "" {
		media, _, err := mime.ParseMediaType(given)
		if err != nil || !slices.Contains([]string{"application/json", "application/x-ndjson", "text/plain"}, media) {
			return nil, &problem{Status: http.StatusUnsupportedMediaType,
				Detail: "send events as application/json, application/x-ndjson or text/plain"}
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, activity.MaxEventBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Reason: activity.ReasonTooLarge,
			Detail: fmt.Sprintf("the body has more than %d bytes", activity.MaxEventBytes)}
	case err != nil:
		return nil, &problem{Status: http.StatusBadRequest, Detail: "the body ended early"}
	case len(bytes.TrimSpace(body)) == 0:
		return nil, &problem{Status: http.StatusBadRequest, Detail: "the body is empty"}
	}
	var wrapped map[string]json.RawMessage
	if json.Unmarshal(body, &wrapped) == nil && len(wrapped) == 1 && wrapped["events"] != nil {
		if members(body) > 1 { // a reader of JSON drops all but one
			return nil, &problem{Status: http.StatusBadRequest, Detail: "the body has the member events more than once"}
		}
		body = wrapped["events"]
	}
	if activity.Packed(body) { // unpacked, it may be a thousand times as large
		return nil, &problem{Status: http.StatusBadRequest, Detail: "the body is packed: send events as plain JSON"}
	}
	if bytes.Equal(bytes.TrimSpace(body), []byte("[]")) {
		return nil, &problem{Status: http.StatusBadRequest, Detail: "the body has no event"}
	}
	return body, nil
}

// members is how many members a valid JSON object has, each as often as it is there.
func members(object []byte) (n int) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		return 0
	}
	for decoder.More() {
		var value json.RawMessage
		if _, err := decoder.Token(); err != nil || decoder.Decode(&value) != nil {
			return n
		}
		n++
	}
	return n
}

// check says whether an event may go to the stream, and makes it ready for it: every event has an id, and the shop of
// this server if it has one.
func (s *server) check(ctx context.Context, item *activity.Item) eventResult {
	if item.Fault == nil {
		s.shops.Of(item)
	}
	if item.Fault == nil && item.Event.EventID == "" {
		item.Event.EventID = activity.EventID(nil, item.Position)
		item.Data = activity.Named(item.Data, item.Event.EventID)
	}
	if own := s.shops.Own(); item.Fault == nil && own != "" && item.Event.Shop == nil {
		item.Data = activity.OfShop(item.Data, own)
	}
	if item.Fault == nil && len(item.Data) > activity.MaxEventBytes {
		item.Fault = &activity.Fault{Reason: activity.ReasonTooLarge,
			Message: fmt.Sprintf("the event has more than %d bytes with its id", activity.MaxEventBytes)}
	}
	if item.Fault != nil {
		id := ""
		if item.Event != nil {
			id = item.Event.EventID
		}
		return eventResult{id, statusOf(item.Fault.Reason), item.Fault.Reason, item.Fault.Message}
	}
	e := item.Event
	if k := callerKey(ctx); k != nil && !k.secret() {
		if said := e.Type != activity.TypeActivity && e.Type != activity.TypeInteraction; said || e.SentAgain {
			return eventResult{e.EventID, http.StatusForbidden, reasonForbidden,
				"a publishable key says what a visitor does, and nothing else; and no first_position"}
		}
		if e.CustomerID != nil && !k.allows(scopeCustomers) {
			return eventResult{e.EventID, http.StatusForbidden, reasonForbidden,
				"the key names no customers: it does not have the scope customers"}
		}
	}
	return eventResult{EventID: e.EventID, Status: http.StatusAccepted}
}

// putEvents puts the sound items onto the stream, those of one partition key in one record: so they keep their order.
func (s *server) putEvents(ctx context.Context, items []activity.Item, sound []int, results []eventResult) {
	var records []ingest.Record
	var members [][]int // of each record, indexes in items
	of := map[string]int{}
	for _, i := range sound {
		key := items[i].Event.PartitionKey()
		at, known := of[key]
		if !known || len(records[at].Data)+len(items[i].Data)+len("\n")+len(key) > ingest.MaxRecordBytes {
			at = len(records)
			of[key] = at
			records, members = append(records, ingest.Record{Key: key}), append(members, nil)
		}
		if len(members[at]) > 0 {
			records[at].Data = append(records[at].Data, '\n')
		}
		records[at].Data = append(records[at].Data, oneLine(items[i].Data)...)
		members[at] = append(members[at], i)
	}
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	failed, err := s.stream.Put(ctx, records)
	for _, at := range failed {
		for _, i := range members[at] {
			results[i].Status, results[i].Reason = http.StatusServiceUnavailable, reasonUnavailable
			results[i].Detail = "the stream did not take the event; send it again with the same event_id"
		}
	}
	if err == nil {
		return
	}
	const message = "events not taken"
	if ok, suppressed := s.sample.take(message, s.now()); ok {
		s.log.ErrorContext(ctx, message, logkey.Events, len(failed), logkey.Suppressed, suppressed,
			logkey.Error, err.Error())
	}
}

// oneLine is a valid event without the line breaks between its values.
func oneLine(event []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, event); err != nil {
		panic(err) // Parse has accepted it
	}
	return out.Bytes()
}

// answerEvents answers 202 if all events were taken, with their common status if none was, else 207.
func (s *server) answerEvents(w http.ResponseWriter, r *http.Request, results []eventResult) {
	a, status := eventsAnswer{Events: results}, results[0].Status
	for _, result := range results {
		if result.Status == http.StatusAccepted {
			a.Accepted++
		}
		if result.Status != status {
			status = http.StatusMultiStatus
		}
		if result.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", strconv.Itoa(1))
		}
	}
	body, err := json.Marshal(a)
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	s.note(r, send(w, status, "application/json", append(body, '\n')))
}
