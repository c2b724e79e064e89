package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// lambdaCall is a call as Lambda passes it on: by the function's URL, or by the REST API before it.
type lambdaCall struct{ method, path, query, body, header, origin string }

func (c lambdaCall) byURL() any {
	in := events.LambdaFunctionURLRequest{RawPath: c.path, RawQueryString: c.query, IsBase64Encoded: true,
		Headers: map[string]string{"content-type": "application/json", "x-kindred-key": c.header, "origin": c.origin},
		Body:    base64.StdEncoding.EncodeToString([]byte(c.body))}
	in.RequestContext.HTTP.Method, in.RequestContext.HTTP.SourceIP = c.method, "192.0.2.1"
	return in
}

func (c lambdaCall) byAPI() any {
	query, err := url.ParseQuery(c.query)
	if err != nil {
		panic(err) // the tests' own
	}
	in := events.APIGatewayProxyRequest{Resource: "/{proxy+}", Path: c.path, HTTPMethod: c.method, Body: c.body,
		Headers: map[string]string{"Content-Type": "application/json", "X-Kindred-Key": c.header,
			"Origin": c.origin}, MultiValueQueryStringParameters: query}
	in.RequestContext.Path, in.RequestContext.Stage = "/v1"+c.path, "v1"
	in.RequestContext.Identity.SourceIP = "192.0.2.1"
	return in
}

// TestCallsOnLambda sends each request as the function URL and as the REST API pass it on. Both get what a request
// over HTTP gets.
func TestCallsOnLambda(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) http.Handler { return setup(t).handler }
	for _, handler := range []func(*testing.T) http.Handler{open, gated} {
		for _, c := range []lambdaCall{
			{method: "POST", path: "/recommendations", body: `{"session_id":"s","event_id":"e","browse_history":[]}`},
			{method: "GET", path: "/products/L2%5F03/similar"}, {method: "GET", path: "/products/50%25%20off/similar"},
			{method: "GET", path: "/products/a%2Fb%3Fc/similar"}, {method: "GET", path: "/customers/%2F/recommendations"},
			{method: "GET", path: "/products/L2_03/similar", query: "limit=99"},
			{method: "GET", path: "/customers/101/recommendations", query: "exclude=L1_10&exclude=L1_11&fields=name"},
			{method: "GET", path: "/customers/101/recommendations", query: url.Values{
				"filter": {`product.id == "L1_07"`}}.Encode()},
			{method: "GET", path: "/products/L2_03/similar", query: "key=" + webKey, origin: shopPage},
			{method: "GET", path: "/products/L2_03/similar", header: webKey, origin: shopPage},
			{method: "OPTIONS", path: "/events", origin: shopPage}, {method: "GET", path: "/kindred.js"},
			{method: "DELETE", path: "/events"}, {method: "GET", path: "/"},
		} {
			r := httptest.NewRequestWithContext(t.Context(), c.method, c.path+"?"+c.query, strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Kindred-Key", c.header)
			r.Header.Set("Origin", c.origin)
			want := httptest.NewRecorder()
			h := handler(t)
			h.ServeHTTP(want, r)
			for by, passed := range map[string]any{"URL": c.byURL(), "API": c.byAPI()} {
				got := mustCall(t, h, passed)
				if got.StatusCode != want.Code || bare(got.Body) != bare(want.Body.String()) {
					t.Errorf("%+v by the %s: %d %s, want %d %s", c, by, got.StatusCode, got.Body, want.Code, want.Body)
				}
				for name := range want.Header() {
					if got.Headers[name] != strings.Join(want.Header().Values(name), ", ") {
						t.Errorf("%+v by the %s: %s: %q, want %q", c, by, name, got.Headers[name], want.Header().Values(name))
					}
				}
			}
		}
	}
}

// differs are the parts of an answer that differ from one request to the next.
var differs = regexp.MustCompile(`"(recommendation_id|sequence_number|generated_at|arrived_at|latency_ms|crc32c|id)":("rec-[^"]*"|"[^"]*"|[0-9.]+)`)

func bare(body string) string { return differs.ReplaceAllString(body, "") }

// mustCall answers a call in the form in which Lambda passes it on, and checks that the REST API takes the answer.
func mustCall(t *testing.T, h http.Handler, passed any) (got called) {
	t.Helper()
	data, err := json.Marshal(passed)
	if err != nil {
		t.Fatal(err)
	}
	var in call
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	if got, err = onLambda(h)(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	strict := json.NewDecoder(bytes.NewReader(out))
	strict.DisallowUnknownFields()
	if err := strict.Decode(new(events.APIGatewayProxyResponse)); err != nil {
		t.Errorf("the REST API would refuse the answer: %v", err)
	}
	return got
}
