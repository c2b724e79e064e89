//go:build !onlambda

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// collector takes spans by OTLP over HTTP.
type collector struct {
	t  *testing.T
	mu sync.Mutex
	// got are whole requests, for what is in them wherever it stands; spans are by name.
	got   []string
	spans map[string][]*tracepb.Span
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			c.t.Error(err)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	var in collectorpb.ExportTraceServiceRequest
	if err := errors.Join(err, proto.Unmarshal(data, &in)); err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, in.String())
	for _, resource := range in.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans[span.Name] = append(c.spans[span.Name], span)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// attributes are those of a span, as texts.
func attributes(span *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.Attributes {
		switch value := a.Value.GetArrayValue(); value {
		case nil:
			all[a.Key] = strings.Trim(strings.SplitN(a.Value.String(), ":", 2)[1], `" `)
		default:
			var texts []string
			for _, v := range value.Values {
				texts = append(texts, v.GetStringValue())
			}
			all[a.Key] = strings.Join(texts, " ")
		}
	}
	return all
}

// mustTrace answers requests with traces that go to a collector, and returns what it got.
func mustTrace(t *testing.T, atOnce bool, ask func(h http.Handler, store *recommendtest.Store)) *collector {
	t.Helper()
	c := &collector{t: t, spans: map[string][]*tracepb.Span{}}
	server := httptest.NewServer(c)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	traced, err := newTraces(t.Context(), slog.New(slog.DiscardHandler), os.Getenv, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	store, counted := recommendtest.NewStore(recommendtest.Version("m1")), newMetrics()
	look := watching{answers: counted.watch}.and(traced.watching())
	ask(traced.handler(counted.handler(newHandler(parts{recommender: look.before(recommend.New(store)), checker: store,
		recorder: &kept{}, stream: &taken{refuse: []string{"refused"}}, onlooker: look, log: slog.New(slog.DiscardHandler),
		now: time.Now}))), store)
	if err := traced.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c
}

// TestTracesSayWhatWasAnswered asks every kind of question. A span names the route, and the ids of events and
// recommendations; nothing in it names a visitor, and what the recommender did is a part of it.
func TestTracesSayWhatWasAnswered(t *testing.T) {
	const (
		parent = "4bf92f3577b34da6a3ce929d0e0e4736"
		posted = `{"session_id":"secret-1","event_id":"e-1","customer_number":"secret-2","city":"secret-3","browse_history":[]}`
		events = `[{"type":"interaction","kind":"view","session_id":"secret-4","product_code":"p","event_id":"e-2"},
			{"type":"interaction","kind":"view","session_id":"refused","product_code":"p","event_id":"e-3"}]`
	)
	var answers strings.Builder
	got := mustTrace(t, false, func(h http.Handler, store *recommendtest.Store) {
		send := func(method, path, body string) {
			r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("User-Agent", "secret-5")
			r.Header.Set("Traceparent", "00-"+parent+"-00f067aa0ba902b7-01")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			answers.WriteString(w.Body.String())
		}
		send("POST", "/recommendations", posted)
		send("GET", "/customers/secret-6/recommendations?event_id=e-4&session_id=secret-7", "")
		send("GET", "/products/L2_03/similar?event_id=e-5", "")
		send("GET", "/lists/popular?event_id=e-6", "")
		send("POST", "/rerank", strings.Replace(posted, "{", `{"products":["L2_04"],`, 1))
		send("POST", "/events", events)
		send("GET", "/nowhere/secret-8", "")
		store.Fail(func(context.Context) error { return errors.New("secret-9 is down") })
		send("GET", "/products/L2_03/similar", "")
	})
	for name, want := range map[string]map[string]string{
		"POST /recommendations":               {"kindred.event_ids": "e-1", "http.response.status_code": "200"},
		"GET /customers/{id}/recommendations": {"kindred.event_ids": "e-4", "http.route": "/customers/{id}/recommendations"},
		"GET /lists/{list}":                   {"kindred.event_ids": "e-6"}, "POST /rerank": {"kindred.event_ids": "e-1"},
		"POST /events": {"kindred.event_ids": "e-2", "http.request.method": "POST", "http.response.status_code": "207"},
		"request":      {"http.response.status_code": "404"},
	} {
		if len(got.spans[name]) != 1 {
			t.Errorf("%d spans %s, want 1", len(got.spans[name]), name)
			continue
		}
		has := attributes(got.spans[name][0])
		for key, value := range want {
			if has[key] != value {
				t.Errorf("%s: %s is %q, want %q", name, key, has[key], value)
			}
		}
		id := has["kindred.recommendation_ids"]
		asks := name != "POST /events" && name != "request"
		if asks != (id != "") || !strings.Contains(answers.String(), id) {
			t.Errorf("%s: the recommendation %q is in no answer", name, id)
		}
	}
	failed := got.spans["GET /products/{code}/similar"]
	if len(failed) != 2 || failed[1].Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR ||
		attributes(failed[0])["kindred.event_ids"] != "e-5" {
		t.Errorf("similar products: %v", failed)
	}
	if asked := got.spans["recommend"]; len(asked) != 6 || attributes(asked[0])["kindred.model_version"] != "m1" ||
		!bytes.Equal(asked[0].ParentSpanId, got.spans["POST /recommendations"][0].SpanId) {
		t.Errorf("the recommender: %v", asked)
	}
	all := strings.Join(got.got, "\n")
	if strings.Contains(all, "secret") || !strings.Contains(all, "kindred-serve") {
		t.Errorf("a visitor is shown, or the service is not:\n%s", all)
	}
	if id := got.spans["POST /events"][0].TraceId; hex.EncodeToString(id) != parent {
		t.Errorf("the trace is %x, the caller's is %s", id, parent)
	}
}

// TestTracesAtOnce: on Lambda a span is sent before the answer goes out, because the function is frozen then.
func TestTracesAtOnce(t *testing.T) {
	c := &collector{t: t, spans: map[string][]*tracepb.Span{}}
	server := httptest.NewServer(c)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.URL+"/v1/traces")
	traced, err := newTraces(t.Context(), slog.New(slog.DiscardHandler), os.Getenv, true)
	if err != nil {
		t.Fatal(err)
	}
	mustCall(t, traced.handler(setup(t).handler), lambdaCall{method: "GET", path: "/products/L2_03/similar"}.byAPI())
	c.mu.Lock()
	sent := len(c.spans["GET /products/{code}/similar"])
	c.mu.Unlock()
	if err := traced.end(t.Context()); err != nil || sent != 1 {
		t.Errorf("%d spans were sent when the answer was there: %v", sent, err)
	}
}

// TestNoTraces: without an endpoint nothing is made, and the handler and the recommender are what they were.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, variables := range []map[string]string{{}, {endpoint: "http://x", "OTEL_SDK_DISABLED": "true"},
		{endpoint: "http://x", "OTEL_TRACES_EXPORTER": "none"}} {
		set := func(name string) string { return variables[name] }
		traced, err := newTraces(t.Context(), slog.New(slog.DiscardHandler), set, false)
		if err != nil || traced != nil {
			t.Fatalf("%v: %v, %v", variables, traced, err)
		}
		b := setup(t)
		if look := traced.watching(); look.answers != nil || look.ids != nil || traced.end(t.Context()) != nil {
			t.Errorf("%v: %+v", variables, look)
		}
		w := httptest.NewRecorder()
		traced.handler(b.handler).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
		if w.Code != http.StatusOK {
			t.Errorf("%v: %d", variables, w.Code)
		}
	}
	_, err := newTraces(t.Context(), slog.New(slog.DiscardHandler), func(name string) string {
		return map[string]string{endpoint: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}[name]
	}, false)
	if !errors.Is(err, errTraces) || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_PROTOCOL") {
		t.Errorf("another protocol: %v", err)
	}
}

// TestIDsAreBounded: a request with many events names some of them.
func TestIDsAreBounded(t *testing.T) {
	t.Parallel()
	ids := &noted{}
	for range 2 * mostIDs {
		new(traces).watching().ids(context.WithValue(t.Context(), notedOf{}, ids), "e", "")
	}
	new(traces).watching().ids(t.Context(), "e", "") // another context
	if len(ids.events) != mostIDs || len(ids.recommendations) != 0 {
		t.Errorf("%d events", len(ids.events))
	}
	watching{}.recorded(t.Context(), &activity.Recommendation{ID: "r"}, true)
}
