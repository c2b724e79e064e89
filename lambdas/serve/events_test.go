package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/stream/activity"
	"kindred/internal/stream/ingest"
)

// taken is a stream that refuses the keys that it is told to.
type taken struct {
	refuse  []string
	mu      sync.Mutex
	records []ingest.Record
}

func (s *taken) Put(_ context.Context, records []ingest.Record) (failed []int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range records {
		if slices.Contains(s.refuse, r.Key) {
			failed, err = append(failed, i), errors.New("throttled")
			continue
		}
		s.records = append(s.records, r)
	}
	return failed, err
}

// post sends a body to POST /events.
func post(t *testing.T, h http.Handler, contentType, body string) (int, eventsAnswer, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	h.ServeHTTP(w, r)
	var a eventsAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return w.Code, a, w.Header()
}

func eventsHandler(s stream, shops activity.Shops) http.Handler {
	return newHandler(parts{stream: s, shops: shops, log: slog.New(slog.DiscardHandler), now: time.Now})
}

// TestEventsArrive: whatever form the body has, and whatever is wrong with some of its events or keys, the stream's
// reader finds exactly the accepted events, those of a key in their order, under the ids that were answered.
func TestEventsArrive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"named", "nameless", "product", "broken", "wrong"}), 1, 30).
			Draw(rt, "kinds")
		stream := &taken{}
		if rapid.Bool().Draw(rt, "a key is refused") {
			stream.refuse = []string{"s-0"}
		}
		var events []string
		for i, kind := range kinds {
			events = append(events, map[string]string{
				"named": fmt.Sprintf(`{"event_id":"e-%d","session_id":"s-%d", "browse_history":[],"x":"a\nb"}`, i, i%3),
				"nameless": fmt.Sprintf(`{"type":"interaction","kind":"view","session_id":"s-%d","product_code":"p%d"}`,
					i%3, i),
				"product": fmt.Sprintf(`{"type":"product","event_id":"e-%d","product_code":"s-%d","stock":1}`, i, i%3),
				"broken":  fmt.Sprintf(`{"n":%d,"session_id":7}`, i), "wrong": fmt.Sprintf(`{"session_id":"s","n":%d}`, i),
			}[kind])
		}
		form := rapid.SampledFrom([]string{"array", "lines", "object"}).Draw(rt, "form")
		body := map[string]string{"array": "[" + strings.Join(events, ", ") + "]", "lines": strings.Join(events, "\n"),
			"object": ` {"events":[` + strings.Join(events, ",") + `]}`}[form]
		status, a, header := post(t, eventsHandler(stream, activity.Shops{}), "application/json", body)
		if len(a.Events) != len(events) {
			rt.Fatalf("%d results for %d events", len(a.Events), len(events))
		}
		want, statuses := map[string][]string{}, map[int]bool{}
		for i, result := range a.Events {
			key, expected := fmt.Sprintf("s-%d", i%3), http.StatusAccepted
			switch {
			case kinds[i] == "broken" || kinds[i] == "wrong":
				expected = http.StatusUnprocessableEntity
			case slices.Contains(stream.refuse, key):
				expected = http.StatusServiceUnavailable
			default:
				want[key] = append(want[key], result.EventID)
			}
			statuses[result.Status] = true
			if result.Status != expected || (expected == http.StatusAccepted) != (result.Reason == "") ||
				kinds[i] == "named" && result.EventID != fmt.Sprintf("e-%d", i) {
				rt.Fatalf("%s: %+v, want %d", events[i], result, expected)
			}
		}
		overall := a.Events[0].Status
		if len(statuses) > 1 {
			overall = http.StatusMultiStatus
		}
		if status != overall {
			rt.Fatalf("status %d of %v", status, statuses)
		}
		if statuses[http.StatusServiceUnavailable] != (header.Get("Retry-After") != "") {
			rt.Fatalf("Retry-After %q for %v", header.Get("Retry-After"), statuses)
		}
		got := map[string][]string{}
		for _, record := range stream.records {
			for _, item := range activity.Read(nil, activity.Position{Stream: "s", Shard: "h", SequenceNumber: "1",
				PartitionKey: record.Key, ArrivedAt: time.Now()}, record.Data) {
				if item.Fault != nil || item.Event.PartitionKey() != record.Key {
					rt.Fatalf("on the stream under %s: %+v %s", record.Key, item.Fault, item.Data)
				}
				got[record.Key] = append(got[record.Key], item.Event.EventID)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("on the stream %v, want %v", got, want)
		}
	})
}

func TestEventsOfAPage(t *testing.T) {
	t.Parallel()
	const view = `{"type":"interaction","kind":"view","session_id":"s","product_code":"p","recommendation_id":"rec-1"}`
	stream := &taken{}
	h := eventsHandler(stream, activity.Shops{})
	for contentType, want := range map[string]int{"": 202, "text/plain;charset=UTF-8": 202, "application/json": 202,
		"application/x-ndjson": 202, "multipart/form-data; boundary=x": 415, "application/xml": 415} {
		if status, a, _ := post(t, h, contentType, view); status != want || status == 202 && a.Accepted != 1 {
			t.Errorf("%q: %d %+v", contentType, status, a)
		}
	}
	for body, want := range map[string]int{"": 400, " ": 400, "[]": 400, `{"events":[]}`: 400,
		`{"events":[` + view + `],"events":[` + view + `]}`: 400, `{"events":[` + view + `], "\u0065vents":[]}`: 400, "hello": 400,
		`{"session_id":"s"}`: 422, strings.Repeat(" ", activity.MaxEventBytes) + view: 413,
		strings.Repeat(view+"\n", maxEvents): 202, strings.Repeat(view+"\n", maxEvents+1): 413,
		strings.Replace(view, `"rec-1"`, "7", 1): 422} {
		if status, _, _ := post(t, h, "application/json", body); status != want {
			t.Errorf("%.80q: %d, want %d", body, status, want)
		}
	}
	if status, _, _ := post(t, eventsHandler(nil, activity.Shops{}), "", view); status != http.StatusNotFound {
		t.Errorf("without a stream: %d", status)
	}
}

// TestEventsNameTheirShop: on a stream of several shops, the event of this server is this shop's.
func TestEventsNameTheirShop(t *testing.T) {
	t.Parallel()
	shops, err := activity.NewShops("books", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream := &taken{}
	h := eventsHandler(stream, shops)
	status, a, _ := post(t, h, "", `[{"session_id":"s","browse_history":[]},{"session_id":"s","browse_history":[],"shop":"toys"}]`)
	if status != http.StatusMultiStatus || a.Accepted != 1 || a.Events[1].Reason != activity.ReasonUnknownShop ||
		!strings.Contains(string(stream.records[0].Data), `"shop":"books"`) {
		t.Errorf("%d %+v %s", status, a, stream.records[0].Data)
	}
}

// TestPackedEventsAreRefused: a few bytes would become gigabytes.
func TestPackedEventsAreRefused(t *testing.T) {
	t.Parallel()
	stream := &taken{}
	h := eventsHandler(stream, activity.Shops{})
	for name, body := range map[string]string{"gzip": "\x1f\x8b\x08", "KPL": "\xf3\x89\x9a\xc2x"} {
		if status, _, _ := post(t, h, "application/json", body); status != http.StatusBadRequest || len(stream.records) > 0 {
			t.Errorf("%s: %d, %d records", name, status, len(stream.records))
		}
	}
}

// TestAForeignPageNeedsAKey: without keys, only pages of the same host may send events.
func TestAForeignPageNeedsAKey(t *testing.T) {
	t.Parallel()
	h := eventsHandler(&taken{}, activity.Shops{})
	const event = `{"type":"interaction","kind":"view","session_id":"s","product_code":"p"}`
	for origin, want := range map[string]int{"": http.StatusAccepted, "http://example.com": http.StatusAccepted,
		"https://evil.example": http.StatusForbidden, "null": http.StatusForbidden} {
		if w := from(t, h, http.MethodPost, "/events", event, origin, "", ""); w.Code != want {
			t.Errorf("origin %q: %d, want %d", origin, w.Code, want)
		}
	}
}

// TestEventsOfCustomersNeedTheScope: a key that names no customers changes none.
func TestEventsOfCustomersNeedTheScope(t *testing.T) {
	t.Parallel()
	const event = `{"type":"interaction","kind":"purchase","session_id":"s","customer_number":42,"product_code":"p"}`
	if w := from(t, gated(t), http.MethodPost, "/events", event, shopPage, webKey, ""); w.Code != http.StatusForbidden {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestAWrongFilterOfSimilarProductsIsNamed: the product is known.
func TestAWrongFilterOfSimilarProductsIsNamed(t *testing.T) {
	t.Parallel()
	status, _, body := setup(t).call(t, http.MethodGet, "/products/L2_03/similar?filter=product.prise%3C1", "")
	if status != http.StatusBadRequest || !strings.Contains(body, "filter") {
		t.Errorf("%d %s", status, body)
	}
}
