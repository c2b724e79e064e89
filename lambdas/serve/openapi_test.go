package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is openapi.json as far as the tests follow it.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Parameters []struct {
			Name   string
			In     string
			Schema struct{ Minimum, Maximum, Default *int }
		}
		Responses map[string]struct {
			Headers map[string]any
			Content map[string]any
		}
	}
	Components struct {
		Schemas struct {
			ActivityEvent struct {
				Properties struct {
					SessionID     struct{ MaxLength int } `json:"session_id"`
					EventID       struct{ MaxLength int } `json:"event_id"`
					BrowseHistory struct {
						MaxItems int
						Items    struct {
							Properties struct {
								ProductCode struct{ MaxLength int } `json:"product_code"`
							}
						}
					} `json:"browse_history"`
				}
			}
			Source struct{ Enum []activity.Source }
		}
	}
}

func mustDocument(t *testing.T) (d document) {
	t.Helper()
	if err := json.Unmarshal(openapi, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// mustSchema compiles the schema at a place in the document.
func mustSchema(t *testing.T, place ...string) *jsonschema.Schema {
	t.Helper()
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	pointer := "openapi.json#"
	for _, step := range place {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(step)
	}
	schema, err := c.Compile(pointer)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// fits says what is wrong with a body by the schema.
func fits(schema *jsonschema.Schema, body string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

func TestDocumentNamesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	var described, served []string
	for path, methods := range mustDocument(t).Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range (&server{}).routes() {
		served = append(served, r.method+" "+r.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("served (-) and described (+):\n%s", diff)
	}
}

// TestEveryAnswerFitsTheDocument brings about each answer that the document describes, and compares
// status, type, headers and body.
func TestEveryAnswerFitsTheDocument(t *testing.T) {
	t.Parallel()
	const record = `{"session_id":"s","customer_number":101,"browse_history":[{"product_code":"L2_03","quantity":"1"}],"device":{"os":"x"}}`
	shown, err := json.Marshal(activity.ShownFields())
	if err != nil {
		t.Fatal(err)
	}
	const fields = "?fields=name,brand,currency,url,image,categories,price,stock,available,attributes,first_seen,reason"
	const bought = "/products/{code}/bought-together"
	down := func(err error) func(*recommendtest.Store) {
		return func(s *recommendtest.Store) { s.Fail(func(context.Context) error { return err }) }
	}
	nothing := down(vectorstore.ErrNoLiveVersion)
	canary := func(s *recommendtest.Store) { s.Canary(recommendtest.Version("m2"), 0.25) }
	etag := func(r *http.Request) {
		w := httptest.NewRecorder()
		newHandler(parts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet,
			"/openapi.json", nil))
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	}
	rebound := func(r *http.Request) { r.Host = "evil.example" }
	form := func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	left := map[string]bool{} // what is described and did not happen
	d := mustDocument(t)
	for path, methods := range d.Paths {
		for method, operation := range methods {
			for status := range operation.Responses {
				left[strings.ToUpper(method)+" "+path+" "+status] = true
			}
		}
	}
	for _, test := range append(append(pageSituations(), placedSituations()...), []situation{
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations", status: 200},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/-7/recommendations", status: 200},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/%00/recommendations", status: 400},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/a%2Fb/recommendations", status: 200},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations", store: nothing,
			status: 503},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: record, status: 200},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: `{"session_id":"s","browse_history":[]}`,
			status: 200},
		{method: "POST", path: "/recommendations", url: "/recommendations",
			body: strings.Replace(record, "{", `{"kindred":{"explain":true,"fields":`+string(shown)+`},`, 1), status: 200},
		{method: "GET", path: "/customers/{id}/recommendations",
			url: "/customers/101/recommendations" + fields + "&explain=true", status: 200},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?fields=name,,price",
			status: 400},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?explain=yes",
			status: 400},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar?fields=colour", status: 400},
		{method: "GET", path: "/products/{code}/similar",
			url: "/products/L2_03/similar" + fields, status: 200},
		{method: "GET", path: "/lists/{list}", url: "/lists/popular" + fields + "&limit=3&exclude=L2_03", status: 200},
		{method: "GET", path: "/lists/{list}", url: "/lists/trending?fields=name&fields=price,reason", status: 200},
		{method: "GET", path: "/lists/{list}", url: "/lists/trending?fields=name&fields=name", status: 400},
		{method: "GET", path: "/lists/{list}", url: "/lists/new", status: 200},
		{method: "GET", path: "/lists/{list}", url: "/lists/new?limit=0", status: 400},
		{method: "GET", path: "/lists/{list}", url: "/lists/old", status: 404},
		{method: "GET", path: "/lists/{list}", url: "/lists/old", request: rebound, status: 421},
		{method: "GET", path: "/lists/{list}", url: "/lists/new", store: down(errors.New("down")), status: 503},
		{method: "GET", path: bought, url: "/products/L2_03/bought-together" + fields, status: 200},
		{method: "GET", path: bought, url: "/products/L2_03/bought-together?limit=x", status: 400},
		{method: "GET", path: bought, url: "/products/nothing/bought-together", status: 404},
		{method: "GET", path: bought, url: "/products/L2_03/bought-together", request: rebound, status: 421},
		{method: "GET", path: bought, url: "/products/L2_03/bought-together", store: nothing, status: 503},
		{method: "GET", path: "/customers/{id}/recently-viewed", url: "/customers/101/recently-viewed" + fields, status: 200},
		{method: "GET", path: "/customers/{id}/recently-viewed", url: "/customers/%00/recently-viewed", status: 400},
		{method: "GET", path: "/customers/{id}/recently-viewed", url: "/customers/101/recently-viewed", request: rebound,
			status: 421},
		{method: "GET", path: "/customers/{id}/recently-viewed", url: "/customers/101/recently-viewed", store: nothing,
			status: 503},
		{method: "GET", path: "/sessions/{id}/recently-viewed", url: "/sessions/s-1/recently-viewed" + fields, status: 200},
		{method: "GET", path: "/sessions/{id}/recently-viewed", url: "/sessions/%00/recently-viewed", status: 400},
		{method: "GET", path: "/sessions/{id}/recently-viewed", url: "/sessions/s-1/recently-viewed", request: rebound,
			status: 421},
		{method: "GET", path: "/sessions/{id}/recently-viewed", url: "/sessions/s-1/recently-viewed", store: nothing,
			status: 503},
		{method: "POST", path: "/rerank", url: "/rerank", status: 200,
			body: strings.Replace(record, "{", `{"products":["L2_04",7,"L1_01"],"kindred":{"explain":true,"fields":["reason"]},`, 1)},
		{method: "POST", path: "/rerank", url: "/rerank", body: "{", status: 400},
		{method: "POST", path: "/rerank", url: "/rerank", body: strings.Repeat(" ", activity.MaxEventBytes+1), status: 413},
		{method: "POST", path: "/rerank", url: "/rerank", body: record, request: form, status: 415},
		{method: "POST", path: "/rerank", url: "/rerank", body: record, request: rebound, status: 421},
		{method: "POST", path: "/rerank", url: "/rerank", body: record, status: 422},
		{method: "POST", path: "/rerank", url: "/rerank", store: down(errors.New("down")), status: 503,
			body: strings.Replace(record, "{", `{"products":["L2_04"],`, 1)},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: "{", status: 400},
		{method: "POST", path: "/recommendations", url: "/recommendations",
			body: strings.Repeat(" ", activity.MaxEventBytes+1), status: 413},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: record, request: form, status: 415},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: `{"session_id":"s"}`, status: 422},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: record,
			store: down(&recommend.RefusedError{Reason: "SQLSTATE 22021"}), status: 422},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: record, store: down(errors.New("down")),
			status: 503},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar?limit=50", status: 200},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar?limit=", status: 400},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar?limit=1&limit=2", status: 400},
		{method: "GET", path: "/products/{code}/similar", url: "/products/%2e%2e/similar", status: 404},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar",
			store: down(&recommend.RefusedError{Reason: "SQLSTATE 22021"}), status: 404},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar", store: down(errors.New("down")),
			status: 503},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations",
			request: rebound, status: 421},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: record, request: rebound, status: 421},
		{method: "GET", path: "/products/{code}/similar", url: "/products/L2_03/similar", request: rebound, status: 421},
		{method: "GET", path: "/health", url: "/health", request: rebound, status: 421},
		{method: "GET", path: "/openapi.json", url: "/openapi.json", request: rebound, status: 421},
		{method: "GET", path: "/customers/{id}/recommendations", status: 200,
			url: "/customers/101/recommendations?limit=3&exclude=L1_10&exclude=L1_11"},
		{method: "GET", path: "/customers/{id}/recommendations", status: 200, url: "/customers/101/recommendations?" +
			url.Values{"filter": {`product.id.startsWith("L1")`}, "boost": {`2:product.id == "L1_07"`, `0.5:product.available`},
				"diversity": {"brand:3"}, "min_share": {`0.3:product.id != "L1_08"`}}.Encode()},
		{method: "GET", path: "/customers/{id}/recommendations", status: 400, url: "/customers/101/recommendations?" +
			url.Values{"filter": {`product.colour == "red"`}}.Encode()},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?boost=2", status: 400},
		{method: "GET", path: "/customers/{id}/recommendations", status: 400,
			url: "/customers/101/recommendations?diversity=2"},
		{method: "GET", path: "/customers/{id}/recommendations", status: 400,
			url: "/customers/101/recommendations?min_share=2:product.available"},
		{method: "GET", path: "/customers/{id}/recommendations", url: "/customers/101/recommendations?limti=3", status: 400},
		{method: "POST", path: "/recommendations", url: "/recommendations",
			body: `{"session_id":"s","browse_history":[],"kindred":{"limit":3,"exclude":["L1_10",7]}}`, status: 200},
		{method: "POST", path: "/recommendations", url: "/recommendations", body: record[:len(record)-1] +
			`,"kindred":{"cursor":"AAAA"}}`, status: 400},
		{method: "GET", path: "/health", url: "/health?x", status: 400},
		{method: "GET", path: "/openapi.json", url: "/openapi.json?limit=1", status: 400},
		{method: "GET", path: "/health", url: "/health", status: 200},
		{method: "GET", path: "/health", url: "/health", store: canary, status: 200},
		{method: "GET", path: "/health", url: "/health", store: nothing, status: 503},
		{method: "GET", path: "/openapi.json", url: "/openapi.json", status: 200},
		{method: "GET", path: "/openapi.json", url: "/openapi.json", request: etag, status: 304},
	}...) {
		name := fmt.Sprintf("%s %s %d", test.method, test.path, test.status)
		b := setup(t)
		if test.store != nil {
			test.store(b.store)
		}
		r := httptest.NewRequestWithContext(t.Context(), test.method, test.url, strings.NewReader(test.body))
		r.Header.Set("Content-Type", "application/json")
		if test.request != nil {
			test.request(r)
		}
		w := httptest.NewRecorder()
		onlyHosts(test.server(t, b), []string{"example.com"}).ServeHTTP(w, r) // the name that httptest gives a request
		described, ok := d.Paths[test.path][strings.ToLower(test.method)].Responses[strconv.Itoa(w.Code)]
		if w.Code != test.status || !ok {
			t.Errorf("%s: %s answers %d, described %t: %s", name, test.url, w.Code, ok, w.Body)
			continue
		}
		delete(left, name)
		for header := range described.Headers {
			if w.Header().Get(header) == "" {
				t.Errorf("%s: no header %s", name, header)
			}
		}
		media := slices.Collect(maps.Keys(described.Content))
		if len(media) == 0 {
			if w.Body.Len() > 0 {
				t.Errorf("%s: a body that is not described: %s", name, w.Body)
			}
			continue
		}
		got := w.Header().Get("Content-Type")
		if !slices.Contains(media, got) {
			t.Errorf("%s: Content-Type %s, described %s", name, got, media)
			continue
		}
		if !strings.HasSuffix(got, "json") {
			continue // kindred.js
		}
		schema := mustSchema(t, "paths", test.path, strings.ToLower(test.method), "responses", strconv.Itoa(w.Code),
			"content", got, "schema")
		if err := fits(schema, w.Body.String()); err != nil {
			t.Errorf("%s: %s\n%v", name, w.Body, err)
		}
	}
	for name := range left {
		t.Errorf("%s is described and no test brings it about", name)
	}
}

// TestDocumentNamesTheParameters of every route, and no other.
func TestDocumentNamesTheParameters(t *testing.T) {
	t.Parallel()
	described := map[string][]string{}
	for path, methods := range mustDocument(t).Paths {
		for method, operation := range methods {
			for _, p := range operation.Parameters {
				if p.In == "query" {
					pattern := strings.ToUpper(method) + " " + path
					described[pattern] = append(described[pattern], p.Name)
				}
			}
		}
	}
	if diff := cmp.Diff(parameters(), described); diff != "" {
		t.Errorf("taken (-) and described (+):\n%s", diff)
	}
}

// TestDocumentAndParseAgree holds the document's rules for a record against those that count.
func TestDocumentAndParseAgree(t *testing.T) {
	t.Parallel()
	schema := mustSchema(t, "components", "schemas", "ActivityEvent")
	entry := func(fields string) string {
		return `{"session_id":"s","browse_history":[{"product_code":"a",` + fields + `}]}`
	}
	field := func(fields string) string { return `{"session_id":"s","browse_history":[],` + fields + `}` }
	history := func(n int) string {
		return `{"session_id":"s","browse_history":[` + strings.TrimSuffix(strings.Repeat(`{"product_code":"a"},`, n), ",") +
			`]}`
	}
	session := func(s string) string { return `{"session_id":"` + s + `","browse_history":[]}` }
	product := func(s string) string { return `{"session_id":"s","browse_history":[{"product_code":"` + s + `"}]}` }
	for _, body := range []string{
		`{}`, `[]`, `null`, `{"session_id":"s"}`, `{"browse_history":[]}`, session(""),
		session(strings.Repeat("é", activity.MaxID)),
		session(strings.Repeat("é", activity.MaxID+1)), `{"session_id":null,"browse_history":[]}`,
		`{"session_id":"s","browse_history":null}`,
		history(0), history(activity.MaxBrowseHistory), history(activity.MaxBrowseHistory + 1),
		`{"session_id":"s","browse_history":[null]}`,
		product(""), product(strings.Repeat("x", text.MaxID)), product(strings.Repeat("x", text.MaxID+1)),
		product(`a\u0000`), `{"session_id":"s","browse_history":[{"product_code":null}]}`,
		`{"session_id":"s","browse_history":[{}]}`,
		entry(`"quantity":0`), entry(`"quantity":2147483647`), entry(`"quantity":2147483648`), entry(`"quantity":-1`),
		entry(`"quantity":1.5`), entry(`"quantity":3.0`), entry(`"quantity":1e2`),
		entry(`"quantity":2.2e9`), field(`"customer_number":7`), field(`"customer_number":7.5`),
		entry(`"quantity":"0"`), entry(`"quantity":"007"`), entry(`"quantity":"2147483647"`), entry(`"quantity":"2147483648"`),
		entry(`"quantity":"999999999"`), entry(`"quantity":"1999999999"`), entry(`"quantity":"2099999999"`), entry(`"quantity":"2147483599"`),
		entry(`"quantity":"-1"`), entry(`"quantity":""`), entry(`"quantity":"many"`), entry(`"quantity":null`), entry(`"quantity":true`),
		entry(`"in_shopping_cart":true`), entry(`"in_shopping_cart":null`), entry(`"in_shopping_cart":"yes"`), entry(`"colour":"red"`),
		field(`"event_id":"e"`), field(`"event_id":""`), field(`"event_id":null`), field(`"event_id":7`),
		field(`"event_id":"` + strings.Repeat("é", activity.MaxID) + `"`), field(`"event_id":"` + strings.Repeat("é", activity.MaxID+1) + `"`),
		field(`"customer_number":-9007199254740991`), field(`"customer_number":9007199254740992`), field(`"customer_number":""`),
		field(`"customer_number":"` + strings.Repeat("x", text.MaxID) + `"`), field(`"customer_number":"` + strings.Repeat("x", text.MaxID+1) + `"`),
		field(`"customer_number":"a\u0000"`), field(`"customer_number":true`),
		field(`"shop":"books"`), field(`"shop":7`), field(`"shop":null`), field(`"shop":""`), field(`"shop":{}`),
		field(`"shop":"` + strings.Repeat("x", text.MaxID) + `"`), field(`"shop":"` + strings.Repeat("x", text.MaxID+1) + `"`),
		`{"session_id":"s","browse_history":[{"product_code":7}]}`,
		`{"session_id":"s","browse_history":[{"product_code":7.5}]}`,
		`{"session_id":"s","browse_history":[{"product_code":9007199254740992}]}`, field(`"customer_number":null`), field(`"customer_number":"7"`),
		field(`"city":"Nantes"`), field(`"city":null`), field(`"city":[]`), field(`"country":7`), field(`"credit_limit":1.5`), field(`"credit_limit":"1"`),
		field(`"occurred_at":"now"`), field(`"occurred_at":0`), field(`"device":{"a":[1]}`),
		field(`"kindred":null`), field(`"kindred":{}`), field(`"kindred":[]`), field(`"kindred":{"limit":100}`),
		field(`"kindred":{"limit":0}`), field(`"kindred":{"limit":101}`), field(`"kindred":{"limit":"3"}`),
		field(`"kindred":{"fields":["name","reason"],"explain":true}`), field(`"kindred":{"fields":["name","name"]}`),
		field(`"kindred":{"fields":["colour"]}`), field(`"kindred":{"fields":null,"explain":null}`),
		field(`"kindred":{"fields":"name"}`), field(`"kindred":{"explain":"true"}`),
		field(`"kindred":{"limit":null,"cursor":null,"exclude":null}`), field(`"kindred":{"limti":3}`),
		field(`"kindred":{"Limit":3}`), field(`"kindred":{"limit":3.5}`), field(`"kindred":{"exclude":["a",7]}`),
		field(`"kindred":{"exclude":[""]}`), field(`"kindred":{"exclude":[true]}`), field(`"kindred":{"exclude":"a"}`),
		field(`"kindred":{"exclude":["` + strings.Repeat("x", text.MaxID+1) + `"]}`),
		field(`"kindred":{"exclude":["a"` + strings.Repeat(`,"a"`, activity.MaxExcluded) + `]}`),
		field(`"kindred":{"cursor":"` + strings.Repeat("x", 101) + `"}`), field(`"kindred":{"cursor":7}`),
		field(`"kindred":{"filter":"product.stock > 0"}`), field(`"kindred":{"filter":7}`),
		field(`"kindred":{"boost":[{"where":"product.stock > 0","factor":10}]}`),
		field(`"kindred":{"boost":[{"where":"product.stock > 0","factor":10.5}]}`),
		field(`"kindred":{"boost":[{"where":"","factor":2}]}`), field(`"kindred":{"boost":[{"factor":2}]}`),
		field(`"kindred":{"boost":[{"where":"a","factor":2,"x":1}]}`), field(`"kindred":{"boost":{"where":"a","factor":2}}`),
		field(`"kindred":{"diversity":{"by":"category","at_most":2}}`), field(`"kindred":{"diversity":{"by":"brand"}}`),
		field(`"kindred":{"diversity":{"by":"colour","at_most":2}}`), field(`"kindred":{"diversity":{"mmr":0.5}}`),
		field(`"kindred":{"diversity":{"mmr":1.5}}`), field(`"kindred":{"diversity":{}}`),
		field(`"kindred":{"diversity":{"mmr":0.5,"by":"brand","at_most":1}}`), field(`"kindred":{"diversity":null}`),
		field(`"kindred":{"min_share":[{"where":"a","share":1}]}`), field(`"kindred":{"min_share":[{"where":"a","share":0}]}`),
		field(`"kindred":{"min_share":[{"where":"a"}]}`), field(`"kindred":{"min_share":[{"share":0.5}]}`),
		field(`"recommendation":null`), field(`"recommended_items":[]`), field(`"similar_items":{}`),
	} {
		_, err := activity.Parse([]byte(body))
		if described := fits(schema, body); (described == nil) != (err == nil) {
			t.Errorf("%.150s\nParse: %v\nthe document: %v", body, err, described)
		}
	}
}

// TestDocumentAndParseAgreeOnTypedEvents holds the document's rules for events with a type against those that count.
// What the document cannot say, the descriptions do: there it may take more, and never less.
func TestDocumentAndParseAgreeOnTypedEvents(t *testing.T) {
	t.Parallel()
	schema := mustSchema(t, "components", "schemas", "SentEvent")
	const view, product, customer = `{"type":"interaction","kind":"view","session_id":"s","product_code":"p"`,
		`{"type":"product","product_code":"p"`, `{"type":"customer","customer_number":7`
	for body, more := range map[string]bool{ // whether the document takes it, and Parse does not
		`{"session_id":"s","browse_history":[]}`: false, `{}`: false, `[]`: false, `{"type":"weather"}`: false,
		view + `}`: false, view + `,"event_id":"e","recommendation_id":"r","occurred_at":"2026-03-01T12:00:00Z","x":[1]}`: false,
		view + `,"quantity":"2","value":null,"customer_number":"c"}`: false, view + `,"quantity":-1}`: false,
		view + `,"quantity":1.5}`: false, view + `,"value":"3"}`: false, view + `,"recommendation_id":7}`: false,
		view + `,"recommendation":{}}`: false, view + `,"event_id":7}`: false,
		`{"type":"interaction","kind":"look","session_id":"s","product_code":"p"}`: false,
		`{"type":"interaction","kind":"view","session_id":"s"}`:                    false,
		`{"type":"interaction","kind":"view","product_code":"p"}`:                  true,
		`{"type":"interaction","kind":"rating","session_id":"s","product_code":7}`: true,
		product + `}`: true, product + `,"stock":0}`: false, product + `,"stock":"0"}`: false,
		product + `,"price":"19.9","currency":null,"categories":["a"],"attributes":{"a":1,"b":"c","d":true}}`: false,
		product + `,"price":-1}`: false, product + `,"price":"1,5"}`: false, product + `,"attributes":{"a":[]}}`: false,
		product + `,"hidden":true,"available":false,"name":"n","brand":"b","url":"u","image":"i"}`: false,
		product + `,"hidden":"yes"}`: false, `{"type":"product","stock":0}`: false,
		customer + `}`: true, customer + `,"country":"FR","city":null,"credit_limit":1.5,"hide":["a",7],"show":[]}`: false,
		customer + `,"forget":true}`: false, customer + `,"forget":true,"city":"Nantes"}`: true,
		customer + `,"hide":"a"}`: false, `{"type":"customer","country":"FR"}`: false,
	} {
		_, err := activity.Parse([]byte(body))
		described := fits(schema, body)
		if taken := described == nil; taken != (err == nil || more) || more && err == nil {
			t.Errorf("%s\nParse: %v\nthe document: %v", body, err, described)
		}
	}
}

func TestDocumentKnowsTheConstants(t *testing.T) {
	t.Parallel()
	d := mustDocument(t)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("version %s", d.OpenAPI)
	}
	limit := d.Paths["/products/{code}/similar"]["get"].Parameters[1]
	if limit.Name != "limit" || *limit.Schema.Minimum != 1 || *limit.Schema.Maximum != maxSimilar ||
		*limit.Schema.Default != 5 {
		t.Errorf("parameter %+v", limit)
	}
	record := d.Components.Schemas.ActivityEvent.Properties
	if record.SessionID.MaxLength != activity.MaxID || record.EventID.MaxLength != activity.MaxID ||
		record.BrowseHistory.MaxItems != activity.MaxBrowseHistory ||
		record.BrowseHistory.Items.Properties.ProductCode.MaxLength != text.MaxID {
		t.Errorf("record %+v", record)
	}
	if !strings.Contains(string(openapi), fmt.Sprintf("more than %d bytes", activity.MaxEventBytes)) {
		t.Error("the largest body is another one")
	}
	sources := []activity.Source{activity.SourceSession, activity.SourceCustomer, activity.SourceFeatures,
		activity.SourcePopularity, activity.SourceSimilar, activity.SourceTrending, activity.SourceNew,
		activity.SourceTogether, activity.SourceViewed}
	if got := d.Components.Schemas.Source.Enum; !slices.Equal(got, sources) {
		t.Errorf("sources %q", got)
	}
}
