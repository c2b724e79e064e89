package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/platform/golden"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// fixed answers every question with the same figures, so that no arithmetic is in the golden files.
type fixed struct{ stale bool }

func (f fixed) Batch(_ context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	answers := make([]recommend.Answer, len(events))
	for i, e := range events {
		answers[i] = recommend.Answer{ModelVersion: "m0123456789abcde", Source: activity.SourceCustomer, Stale: f.stale,
			Items:  []activity.RecommendedItem{{ID: "S10_1678", Score: 0.75}, {ID: "S12_1099", Score: 0.5}},
			Fields: shownBy(e.Control)}
		if e.Control != nil && e.Control.Explain {
			answers[i].Explanations = []recommend.Explanation{{Customer: 0.25, Products: []recommend.Contribution{
				{ID: "S18_1749", Score: 0.5, Neighbours: 0.125}}}, {Customer: 0.5}}
		}
		for n, name := range e.Control.Asked() {
			answers[i].Placement, answers[i].Query = "home", "0123456789abcdef"
			if n > 0 {
				answers[i].More = append(answers[i].More, recommend.Answer{ModelVersion: "m0123456789abcde", Placement: name,
					Source: activity.SourceSimilar, Query: "123456789abcdef0", Items: []activity.RecommendedItem{
						{ID: "S24_2022", Score: 0.875, Because: "S18_1749"}}})
			}
		}
		if len(e.BrowseHistory) > 0 {
			answers[i].Source = activity.SourceSession
			answers[i].Items[0].Because = string(e.BrowseHistory[0].ProductCode)
		}
	}
	return answers, nil
}

// shownBy are the fields that a control asks for.
func shownBy(c *activity.Control) []activity.Field {
	if c == nil {
		return nil
	}
	return c.Fields
}

func (f fixed) Similar(_ context.Context, code string, _ *activity.Event,
	c *activity.Control) (recommend.SimilarAnswer, error) {
	if code != "S18_1749" {
		return recommend.SimilarAnswer{}, recommend.ErrUnknownProduct
	}
	return recommend.SimilarAnswer{Items: &activity.SimilarItems{ProductCode: code,
		SimilarItems: []activity.SimilarItem{{ID: "S24_2022", Distance: 0.125}}}, ModelVersion: "m0123456789abcde",
		Stale: f.stale, Fields: shownBy(c)}, nil
}

func (f fixed) List(_ context.Context, q recommend.ListQuery, c *activity.Control) (recommend.Answer, error) {
	return recommend.Answer{ModelVersion: "m0123456789abcde", Source: q.List, Stale: f.stale, Fields: shownBy(c),
		Items: []activity.RecommendedItem{{ID: "S10_1678", Score: 5.25}}}, nil
}

func (f fixed) Rerank(ctx context.Context, e *activity.Event, codes []string) (recommend.Reranked, error) {
	answers, err := f.Batch(ctx, []*activity.Event{e})
	return recommend.Reranked{Answer: answers[0], Unknown: codes[2:]}, err
}

func (fixed) Facts(_ context.Context, codes []string) (map[string]recommend.Facts, error) {
	all := map[string]recommend.Facts{
		"S10_1678": {"name": []byte(`"1969 Harley Davidson Ultimate Chopper"`), "price": []byte(`95.7`), "currency": []byte(`"EUR"`),
			"image": []byte(`"https://shop.example/S10_1678.jpg"`), "available": []byte(`true`)},
		"S18_1749": {"name": []byte(`"1917 Grand Touring Sedan"`)},
	}
	maps.DeleteFunc(all, func(code string, _ recommend.Facts) bool { return !slices.Contains(codes, code) })
	return all, nil
}

func (fixed) Check(context.Context) (recommend.Traffic, error) {
	return recommend.Traffic{Live: &recommend.Model{Version: "m0123456789abcde"},
		Canary: &recommend.Model{Version: "m0123456789abcdf"}, Share: 0.25}, nil
}

// TestGoldenAnswers holds one answer of each kind. What is random in a record is its place in the
// "stream".
func TestGoldenAnswers(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	handler := func(f fixed, r recorder) http.Handler {
		return newHandler(parts{recommender: f, checker: f, recorder: r, stream: &taken{},
			log: slog.New(slog.DiscardHandler), now: now})
	}
	random, hidden := regexp.MustCompile(`"(sequence_number|crc32c)":"[A-Z2-7a-f0-9]+"`), []byte(`"$1":"(random)"`)
	event := `{"event_id":"e-1","session_id":"s-1","browse_history":[{"product_code":"S18_1749","quantity":1,"in_shopping_cart":false}]}`
	for name, call := range map[string]struct {
		method, path, body string
		status             int
	}{
		"stale.json":    {http.MethodGet, "/customers/103/recommendations?event_id=e-2", "", http.StatusOK},
		"customer.json": {http.MethodGet, "/customers/103/recommendations?event_id=e-2", "", http.StatusOK},
		"session.json":  {http.MethodPost, "/recommendations", event, http.StatusOK},
		"similar.json":  {http.MethodGet, "/products/S18_1749/similar?limit=1&event_id=e-3", "", http.StatusOK},
		"events.json": {http.MethodPost, "/events", "[" + event + `,{"event_id":"e-2","session_id":"s-2"}]`,
			http.StatusMultiStatus},
		"health.json":     {http.MethodGet, "/health", "", http.StatusOK},
		"problem.json":    {http.MethodPost, "/recommendations", `{"browse_history":[]}`, http.StatusUnprocessableEntity},
		"unrecorded.json": {http.MethodGet, "/customers/103/recommendations", "", http.StatusOK},
		"unknown.json":    {http.MethodGet, "/products/S99/similar", "", http.StatusNotFound},
		"trending.json":   {http.MethodGet, "/lists/trending?limit=1&fields=name,reason&event_id=e-4", "", http.StatusOK},
		"rerank.json": {http.MethodPost, "/rerank", strings.Replace(event, "{",
			`{"products":["S12_1099","S10_1678","S99"],`, 1), http.StatusOK},
		"strips.json": {http.MethodPost, "/recommendations", strings.Replace(event, "{",
			`{"kindred":{"placements":["home","product-alike"]},`, 1), http.StatusOK},
		"fields.json": {http.MethodPost, "/recommendations", strings.Replace(event, "{",
			`{"kindred":{"fields":["name","price","currency","image","reason"],"explain":true},`, 1), http.StatusOK},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), call.method, call.path, strings.NewReader(call.body))
		r.Header.Set("Content-Type", "application/json")
		records := &kept{}
		if name == "unrecorded.json" {
			records.refuse.Store(true)
		}
		handler(fixed{stale: name == "stale.json"}, records).ServeHTTP(w, r)
		if w.Code != call.status {
			t.Errorf("%s %s answers %d, want %d", call.method, call.path, w.Code, call.status)
		}
		body := random.ReplaceAll(w.Body.Bytes(), hidden)
		golden.Equal(t, name, golden.Indent(t, body))
		if name == "customer.json" || name == "similar.json" {
			golden.Equal(t, "record_"+name, golden.Indent(t, random.ReplaceAll(records.all()[0], hidden)))
		}
	}
}
