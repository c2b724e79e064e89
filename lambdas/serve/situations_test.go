package main

import (
	"net/http"
	"strings"
	"testing"

	"kindred/internal/platform/checksum"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// situation brings an answer about that openapi.json describes.
type situation struct {
	method, path, url, body string
	request                 func(*http.Request)
	store                   func(*recommendtest.Store)
	status                  int
	handler                 func(*testing.T) http.Handler // nil: that of setup
}

// server is the one that the situation is of.
func (s situation) server(t *testing.T, usual bundle) http.Handler {
	t.Helper()
	if s.handler != nil {
		return s.handler(t)
	}
	return usual.handler
}

// pageSituations are those of events, and of keys at every route that asks for one.
func pageSituations() (all []situation) {
	const (
		view    = `{"type":"interaction","kind":"view","session_id":"s","product_code":"p"}`
		product = `{"type":"product","product_code":"p","stock":0}`
		session = `{"session_id":"s","browse_history":[]}`
	)
	takes := func(refuse ...string) func(*testing.T) http.Handler {
		return func(*testing.T) http.Handler { return eventsHandler(&taken{refuse: refuse}, activity.Shops{}) }
	}
	etag := func(r *http.Request) { r.Header.Set("If-None-Match", `"`+checksum.Bytes(browserScript)[:16]+`"`) }
	for _, s := range []situation{
		{url: "/kindred.js", status: 200},
		{url: "/kindred.js", request: etag, status: 304},
		{url: "/kindred.js?x", status: 400},
		{url: "/kindred.js", request: func(r *http.Request) { r.Host = "evil.example" }, status: 421},
	} {
		s.method, s.path = http.MethodGet, "/kindred.js"
		all = append(all, s)
	}
	for _, s := range []situation{
		{body: view, handler: takes(), status: 202},
		{body: "[" + view + `,{"session_id":"s"}]`, handler: takes(), status: 207},
		{body: "", handler: takes(), status: 400},
		{body: "hello", handler: takes(), status: 400},
		{body: view, status: 404},
		{body: strings.Repeat(" ", activity.MaxEventBytes+1), handler: takes(), status: 413},
		{body: view, request: func(r *http.Request) { r.Header.Set("Content-Type", "image/png") }, handler: takes(),
			status: 415},
		{body: view, request: func(r *http.Request) { r.Host = "evil.example" }, status: 421},
		{body: `{"session_id":"s"}`, handler: takes(), status: 422},
		{body: view, handler: takes("s"), status: 503},
		{body: product, handler: gated, request: ofPage(webKey), status: 403},
	} {
		s.method, s.path, s.url = http.MethodPost, "/events", "/events"
		all = append(all, s)
	}
	for _, s := range []situation{
		{method: http.MethodPost, path: "/events", url: "/events", body: view},
		{method: http.MethodPost, path: "/recommendations", url: "/recommendations", body: session},
		{method: http.MethodGet, path: "/products/{code}/similar", url: "/products/L2_03/similar"},
		{method: http.MethodGet, path: "/customers/{id}/recommendations", url: "/customers/101/recommendations"},
		{method: http.MethodGet, path: "/lists/{list}", url: "/lists/new"},
		{method: http.MethodGet, path: "/products/{code}/bought-together", url: "/products/L2_03/bought-together"},
		{method: http.MethodGet, path: "/customers/{id}/recently-viewed", url: "/customers/101/recently-viewed"},
		{method: http.MethodGet, path: "/sessions/{id}/recently-viewed", url: "/sessions/s-1/recently-viewed"},
		{method: http.MethodPost, path: "/rerank", url: "/rerank", body: session},
	} {
		s.handler = gated
		none, wrong, many := s, s, s
		none.status, none.request = http.StatusUnauthorized, ofPage("")
		wrong.status, wrong.request = http.StatusForbidden, ofPage(secretKey)
		many.status, many.request, many.handler = http.StatusTooManyRequests, ofPage(loginKey), exhausted
		if s.path == "/events" {
			many.request = ofPage(webKey)
		}
		all = append(all, none, wrong, many)
	}
	return all
}

// ofPage makes a request come from a page with this key.
func ofPage(key string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Origin", shopPage)
		if key == loginKey {
			r.Header.Set("Origin", "https://my.shop.example")
		}
		if key != "" {
			r.Header.Set("X-Kindred-Key", key)
		}
	}
}

// exhausted is gated after its publishable keys have been used up.
func exhausted(t *testing.T) http.Handler {
	t.Helper()
	h := gated(t)
	for _, key := range []string{webKey, loginKey} {
		for range 200 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/products/L2_03/similar", nil)
			if err != nil {
				t.Fatal(err)
			}
			ofPage(key)(r)
			r.RemoteAddr = "192.0.2.1:1" // where httptest's requests come from
			h.ServeHTTP(&answer{header: http.Header{}}, r)
		}
	}
	return h
}

// placedSituations are answers to questions with placements.
func placedSituations() []situation {
	placed := func(s *recommendtest.Store) {
		s.Place(map[string]recommend.Placement{"home": {Limit: new(3)}, "alike": {List: recommend.ListSimilar},
			"top": {List: recommend.ListPopular}})
	}
	event := func(member string) string {
		return `{` + member + `,"session_id":"s","browse_history":[{"product_code":"L2_03"}]}`
	}
	return []situation{
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?placement=home",
			store: placed, status: 200},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?placement=home",
			status: 400},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?placement=",
			store: placed, status: 400},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar?placement=alike", store: placed,
			status: 200},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar?placement=home", store: placed,
			status: 400},
		{method: "GET", path: "/lists/{list}", url: "/lists/popular?placement=top&filter=product.available", store: placed,
			status: 200},
		{method: "GET", path: "/lists/{list}", url: "/lists/trending?placement=top", store: placed, status: 400},
		{method: "POST", path: "/recommendations", url: "/recommendations", store: placed, status: 200,
			body: event(`"kindred":{"placements":["home","alike","top"],"fields":["reason"]}`)},
		{method: "POST", path: "/recommendations", url: "/recommendations", store: placed, status: 200,
			body: event(`"kindred":{"placement":"alike"}`)},
		{method: "POST", path: "/recommendations", url: "/recommendations", store: placed, status: 400,
			body: event(`"kindred":{"placements":["home","shelf"]}`)},
		{method: "POST", path: "/recommendations", url: "/recommendations", store: placed, status: 422,
			body: event(`"kindred":{"placements":["home","home"]}`)},
	}
}
