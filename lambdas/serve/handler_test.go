package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

type bundle struct {
	handler http.Handler
	store   *recommendtest.Store
	log     *bytes.Buffer
	records *kept
	skip    *atomic.Int64 // nanoseconds by which the handler's clock is ahead
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{store: recommendtest.NewStore(recommendtest.Version("m1")), log: &bytes.Buffer{},
		records: &kept{}, skip: &atomic.Int64{}}
	now := func() time.Time { return time.Now().Add(time.Duration(b.skip.Load())) }
	b.handler = newHandler(parts{recommender: recommend.New(b.store), checker: b.store, recorder: b.records,
		log: slog.New(slog.NewJSONHandler(b.log, nil)), now: now})
	return b
}

// call makes a request and returns status, content type and body.
func (b bundle) call(t *testing.T, method, path, body string) (int, string, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	b.handler.ServeHTTP(w, r)
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s may be stored", method, path)
	}
	return w.Code, w.Header().Get("Content-Type"), w.Body.String()
}

func TestCustomer(t *testing.T) {
	t.Parallel()
	for path, source := range map[string]activity.Source{
		"/customers/101/recommendations": activity.SourceCustomer,
		"/customers/102/recommendations": activity.SourceFeatures,
		"/customers/999/recommendations": activity.SourcePopularity,
	} {
		status, contentType, body := setup(t).call(t, http.MethodGet, path, "")
		var got customerAnswer
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if status != 200 || contentType != "application/json" || got.Source != source || got.ModelVersion != "m1" ||
			len(got.RecommendedItems) != 10 {
			t.Errorf("%s: %d %s %s", path, status, contentType, body)
		}
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := `{"session_id":"s","customer_number":101,"browse_history":[{"product_code":"L2_03","quantity":"1"}],"device":"x"}`
	status, contentType, body := b.call(t, http.MethodPost, "/recommendations", event)
	got, err := activity.ParseRecord([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if status != 200 || contentType != "application/json" || got.Recommendation.Source != activity.SourceSession ||
		string(got.Event) != event || got.SimilarItems == nil || len(got.RecommendedItems) != 10 {
		t.Errorf("%d %s %s", status, contentType, body)
	}
	_, _, second := b.call(t, http.MethodPost, "/recommendations", event)
	if again, err := activity.ParseRecord([]byte(second)); err != nil || again.Recommendation.ID == got.Recommendation.ID {
		t.Errorf("two requests without event_id share id %s: %v", got.Recommendation.ID, err)
	}
}

func TestSimilar(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{"/products/L2_03/similar": 5, "/products/L2_03/similar?limit=7": 7} {
		status, _, body := setup(t).call(t, http.MethodGet, path, "")
		var got similarAnswer
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if status != 200 || got.ProductCode != "L2_03" || len(got.SimilarItems) != want ||
			got.ModelVersion != "m1" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestHealthNamesEveryVersionThatAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, _, body := b.call(t, http.MethodGet, "/health", "")
	if status != 200 || body != `{"status":"ok","live":{"model_version":"m1","share":1}}`+"\n" {
		t.Errorf("%d %s", status, body)
	}
	b.store.Canary(recommendtest.Version("m2"), 0.25)
	b.skip.Add(int64(healthAge))
	status, _, body = b.call(t, http.MethodGet, "/health", "")
	if want := `{"status":"ok","live":{"model_version":"m1","share":0.75},"canary":{"model_version":"m2","share":0.25}}` +
		"\n"; status != 200 || body != want {
		t.Errorf("%d %s", status, body)
	}
	b.store.Break("m2")
	b.skip.Add(int64(healthAge))
	status, _, body = b.call(t, http.MethodGet, "/health", "")
	if want := `{"status":"ok","live":{"model_version":"m1","share":1},"canary":{"model_version":"m2","share":0.25,"failing":true}}` + "\n"; status != 200 || body != want {
		t.Errorf("%d %s", status, body)
	}
	b.store.Break("m1")
	b.skip.Add(int64(healthAge))
	if status, _, body = b.call(t, http.MethodGet, "/health", ""); status != 503 {
		t.Errorf("the live version is broken: %d %s", status, body)
	}
	b.store.Fail(func(context.Context) error { return vectorstore.ErrNoLiveVersion })
	b.skip.Add(int64(healthAge))
	if status, _, body = b.call(t, http.MethodGet, "/health", ""); status != 503 ||
		!strings.Contains(body, "publish one") {
		t.Errorf("%d %s", status, body)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path, body string
		status             int
	}{
		"no route":          {"GET", "/", "", 404},
		"wrong method":      {"GET", "/recommendations", "", 405},
		"delete":            {"DELETE", "/health", "", 405},
		"slash at the end":  {"GET", "/health/", "", 404},
		"empty segment":     {"GET", "/products//similar", "", 404},
		"dots":              {"POST", "/x/../recommendations", "", 404},
		"NUL in a customer": {"GET", "/customers/x%00/recommendations", "", 400},
		"129 bytes":         {"GET", "/customers/" + strings.Repeat("x", 129) + "/recommendations", "", 400},
		"no text":           {"GET", "/customers/%ff/recommendations", "", 400},
		"no JSON":           {"POST", "/recommendations", "hello", 400},
		"schema":            {"POST", "/recommendations", `{"browse_history":[]}`, 422},
		"a typed event":     {"POST", "/recommendations", `{"type":"product","product_code":"a","stock":0}`, 422},
		"too large":         {"POST", "/recommendations", strings.Repeat(" ", activity.MaxEventBytes+10), 413},
		"limit":             {"GET", "/products/L2_03/similar?limit=0", "", 400},
		"unknown product":   {"GET", "/products/nothing/similar", "", 404},
		"NUL in a product":  {"GET", "/products/L2_03%00/similar", "", 404},
		"not UTF-8":         {"GET", "/products/L2_03%ff/similar", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, contentType, body := setup(t).call(t, test.method, test.path, test.body)
			mustProblem(t, contentType, body, test.status)
			if status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, body)
			}
		})
	}
}

func mustProblem(t *testing.T, contentType, body string, status int) {
	t.Helper()
	var got struct {
		Title, Detail, Reason string
		Status                int
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if contentType != "application/problem+json" || got.Title == "" || got.Detail == "" || got.Status != status {
		t.Errorf("%s %s", contentType, body)
	}
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Fail(func(context.Context) error { return errors.New("secret address refused") })
	for path, method := range map[string]string{"/customers/101/recommendations": "GET", "/products/L2_03/similar": "GET",
		"/health":          "GET",
		"/recommendations": "POST"} {
		status, contentType, body := b.call(t, method, path, `{"session_id":"s","browse_history":[]}`)
		mustProblem(t, contentType, body, 503)
		if status != 503 || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if !strings.Contains(b.log.String(), "secret address refused") || !strings.Contains(b.log.String(), "GET /health") {
		t.Errorf("the cause is not logged: %s", b.log)
	}
}

func TestListenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- listen(ctx, slog.New(slog.NewJSONHandler(in, nil)), setup(t).handler, "127.0.0.1:0")
	}()
	var line struct{ Address string }
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+line.Address+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A page of evil.example whose name was rebound to this machine's address sends its own name.
func TestOnlyHosts(t *testing.T) {
	t.Parallel()
	handler := onlyHosts(setup(t).handler, []string{"shop.example"})
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST.:1": 200, "[::1]:8080": 200, "10.1.2.3": 200, "x.localhost": 200,
		"shop.example:8080": 200, "Shop.Example": 200,
		"evil.example": 421, "evil.example:8080": 421, "localhost.evil.example": 421, "127.0.0.1.nip.io": 421,
		"xlocalhost": 421,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
}
