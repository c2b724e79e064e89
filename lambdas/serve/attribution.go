package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// page says whose answer it is, in the record of an answer to a request that brings no event. Everything may
// be empty.
type page struct {
	eventID   string // the caller's; else each answer gets a new one
	sessionID string
	customer  *activity.ID
	product   activity.ID // the product that the page shows
}

// visitor is an event of who asks.
func (p page) visitor() *activity.Event {
	return &activity.Event{SessionID: p.sessionID, CustomerID: p.customer}
}

// pageEvent is the event that stands for such a request: a valid activity event, of a visitor who has looked
// at nothing. Without a session, it gets the event's id for one.
type pageEvent struct {
	EventID       string            `json:"event_id"`
	SessionID     string            `json:"session_id"`
	CustomerID    *activity.ID      `json:"customer_number,omitempty"`
	ProductCode   activity.ID       `json:"product_code,omitempty"`
	BrowseHistory []activity.Browse `json:"browse_history"`
}

// pageParameters say whose answer it is. Every GET of products takes them.
var pageParameters = []string{"event_id", "session_id"}

// pageOf reads the pageParameters. problem is a sentence about the first wrong one, or "".
func pageOf(r *http.Request) (p page, problem string) {
	for name, to := range map[string]*string{"event_id": &p.eventID, "session_id": &p.sessionID} {
		given, found := r.URL.Query()[name]
		if !found {
			continue
		}
		if len(given) > 1 || given[0] == "" || utf8.RuneCountInString(given[0]) > activity.MaxID ||
			text.Check(given[0], text.NoLimit) != nil {
			return page{}, name + " must be one text of 1 to 256 characters without NUL"
		}
		*to = given[0]
	}
	return p, ""
}

// attribute delivers an answer to a page in the form of a record, and returns the recommendation's id: nil, which
// is null in JSON, if it is not delivered. arrived is when the request came.
func (s *server) attribute(r *http.Request, p page, a recommend.Answer, arrived time.Time) *string {
	if !s.records() {
		return nil
	}
	position := httpPosition(p.sessionID, arrived)
	event := pageEvent{p.eventID, p.sessionID, p.customer, p.product, []activity.Browse{}}
	if event.EventID == "" {
		event.EventID = activity.EventID(nil, position)
	}
	if event.SessionID == "" {
		event.SessionID, position.PartitionKey = event.EventID, event.EventID
	}
	raw, err := json.Marshal(event)
	if err != nil {
		panic(err) // texts can always be encoded
	}
	record := a.Record(raw, &activity.Event{EventID: event.EventID}, position, s.now())
	if p.eventID != "" {
		record.Recommendation.ID = activity.AskedID(record.Recommendation.ID, questionOf(r))
	}
	if !s.deliver(r, &record) {
		return nil
	}
	return &record.Recommendation.ID
}

// recordsOf are the records of an answer to a request that brings an event, one for each of its lists.
func (s *server) recordsOf(r *http.Request, a recommend.Answer, raw []byte, e *activity.Event, arrived time.Time,
	products []string) []activity.Record {
	records := a.Records(raw, e, httpPosition(e.SessionID, arrived), s.now())
	if question := questionIn(r, e.Control, products); question != "" && e.EventID != "" {
		for i := range records {
			records[i].Recommendation.ID = activity.AskedID(records[i].Recommendation.ID, question)
		}
	}
	return records
}

// questionOf is what a request asks for: two requests that may get different products have different ones.
func questionOf(r *http.Request) string {
	asked := r.URL.Query()
	for _, name := range []string{"event_id", "fields", "explain"} { // no product depends on them
		asked.Del(name)
	}
	return r.Method + " " + r.URL.EscapedPath() + "?" + asked.Encode()
}

// questionIn is questionOf for a request that brings an event, with products that it gives to be ordered. A question
// for the recommendations of an event without a control is the event's own, as on the stream: "".
func questionIn(r *http.Request, c *activity.Control, products []string) string {
	if c == nil && products == nil {
		return ""
	}
	asked := struct {
		Control  *activity.Control
		Products []string
	}{c, products}
	if c != nil {
		bare := *c
		bare.Fields, bare.Explain = nil, false
		asked.Control = &bare
	}
	text, err := json.Marshal(asked)
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	return r.Method + " " + r.URL.EscapedPath() + " " + string(text)
}

// deliver hands a record to the delivery stream, tells whoever looks on, and says whether it arrives there.
func (s *server) deliver(r *http.Request, record *activity.Record) bool {
	delivered := s.put(r, record)
	s.onlooker.recorded(r.Context(), &record.Recommendation, delivered)
	return delivered
}

// put hands a record to the delivery stream, if there is one.
func (s *server) put(r *http.Request, record *activity.Record) bool {
	if !s.records() { // a line that nobody gets need not be written
		return false
	}
	record.Recommendation.Shop = s.shops.Own()
	line, err := record.AppendSealed(nil)
	return err == nil && s.recorder.record(r.Context(), line)
}

// records says whether answers are delivered at all.
func (s *server) records() bool {
	_, none := s.recorder.(unrecorded)
	return !none
}

// httpPosition takes the place of a position on a stream. It is random, so that an event without an id gets a
// new one.
func httpPosition(session string, arrived time.Time) activity.Position {
	return activity.Position{Stream: activity.StreamHTTP, Shard: activity.StreamHTTP, SequenceNumber: rand.Text(),
		PartitionKey: session, ArrivedAt: arrived.UTC()}
}

// shownItems are similar products as recommended ones, because of the product that they are similar to.
func shownItems(similar *activity.SimilarItems) []activity.RecommendedItem {
	items := make([]activity.RecommendedItem, len(similar.SimilarItems))
	for i, item := range similar.SimilarItems {
		items[i] = activity.RecommendedItem{ID: item.ID, Score: 1 - item.Distance, Because: similar.ProductCode}
	}
	return items
}
