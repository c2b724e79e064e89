package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kindred/internal/platform/golden"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
)

const (
	webKey    = "pk_0123456789abcdef"
	loginKey  = "pk_of-pages-with-login"
	secretKey = "sk_0123456789abcdef"
	shopPage  = "https://shop.example"
)

func keysJSON() string {
	sum := sha256.Sum256([]byte(secretKey))
	return `{"keys":[
		{"name":"web","publishable":"` + webKey + `","scopes":["events","recommendations"],"origins":["` + shopPage + `"],"rate":5},
		{"name":"login","publishable":"` + loginKey + `","scopes":["customers","recommendations"],"origins":["https://my.shop.example"]},
		{"name":"backend","secret_sha256":"` + hex.EncodeToString(sum[:]) + `"}]}`
}

// gated is a server with keys, whose clock stands still.
func gated(t *testing.T) http.Handler {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(keysJSON()), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := newKeyring(file)
	if err != nil {
		t.Fatal(err)
	}
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	now := time.Now()
	return newHandler(parts{recommender: recommend.New(store), checker: store, recorder: &kept{}, stream: &taken{},
		keys: keys, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }})
}

// from makes a request of a page with a key.
func from(t *testing.T, h http.Handler, method, path, body, origin, key, address string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	r.RemoteAddr = address
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestKeysAndOrigins(t *testing.T) {
	t.Parallel()
	const (
		session  = `{"session_id":"s","browse_history":[]}`
		customer = `{"session_id":"s","customer_number":7,"browse_history":[]}`
		view     = `{"type":"interaction","kind":"view","session_id":"s","product_code":"p"}`
		product  = `{"type":"product","product_code":"p","stock":0}`
	)
	for _, test := range []struct {
		method, path, body, origin, key string
		want                            int
	}{
		{"POST", "/recommendations", session, shopPage, webKey, 200},
		{"POST", "/recommendations?key=" + webKey, session, shopPage, "", 200},
		{"POST", "/recommendations", session, "", webKey, 200}, // of the same origin, as behind a proxy
		{"POST", "/recommendations", session, shopPage, "", 401},
		{"POST", "/recommendations", session, shopPage, "pk_of-somebody-else-1", 401},
		{"POST", "/recommendations", session, "https://evil.example", webKey, 403},
		{"POST", "/recommendations", session, "https://my.shop.example", webKey, 403},
		{"POST", "/recommendations", session, "null", webKey, 403},
		{"POST", "/recommendations", session, "http://shop.example", webKey, 403},
		{"POST", "/recommendations", customer, shopPage, webKey, 403},
		{"POST", "/recommendations", customer, "https://my.shop.example", loginKey, 200},
		{"POST", "/recommendations", customer, "", secretKey, 200},
		{"POST", "/recommendations", session, shopPage, secretKey, 403},
		{"POST", "/recommendations?key=" + secretKey, session, "", "", 401},
		{"GET", "/customers/101/recommendations", "", shopPage, webKey, 403},
		{"GET", "/customers/%2F/recommendations", "", shopPage, webKey, 403},
		{"GET", "/customers/%2F/recommendations", "", shopPage, "", 401},
		{"GET", "/customers/101/recommendations", "", "https://my.shop.example", loginKey, 200},
		{"GET", "/customers/101/recommendations", "", "", secretKey, 200},
		{"GET", "/products/L2_03/similar?limit=2&key=" + webKey, "", shopPage, "", 200},
		{"HEAD", "/products/L2_03/similar", "", shopPage, "", 401},
		{"POST", "/events", view, shopPage, webKey, 202},
		{"POST", "/events", product, shopPage, webKey, 403},
		{"POST", "/events", product, "", secretKey, 202},
		{"POST", "/events", view, "https://my.shop.example", loginKey, 403},
		{"POST", "/events", strings.Repeat(view+"\n", maxPageEvents+1), shopPage, webKey, 413},
		{"GET", "/health", "", "", "", 200},
		{"GET", "/openapi.json", "", "", "", 200},
		{"GET", "/nothing", "", "", "", 404},
	} {
		w := from(t, gated(t), test.method, test.path, test.body, test.origin, test.key, "192.0.2.1:1")
		if w.Code != test.want {
			t.Errorf("%s %s from %q with %q: %d, want %d: %s", test.method, test.path, test.origin, test.key, w.Code,
				test.want, w.Body)
		}
		allowed := w.Header().Get("Access-Control-Allow-Origin")
		if known := test.origin == shopPage || test.origin == "https://my.shop.example"; known && allowed != test.origin ||
			!known && allowed != "" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("%s from %q: allowed %q, Vary %q", test.path, test.origin, allowed, w.Header().Get("Vary"))
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]int{shopPage: 204, "https://evil.example": 403, "": 403} {
		w := from(t, gated(t), http.MethodOptions, "/events", "", origin, "", "192.0.2.1:1")
		if w.Code != want || (w.Header().Get("Access-Control-Allow-Methods") != "") != (want == 204) {
			t.Errorf("from %q: %d %v", origin, w.Code, w.Header())
		}
	}
	if w := from(t, setup(t).handler, http.MethodOptions, "/events", "", shopPage, "", "192.0.2.1:1"); w.Code != 405 ||
		w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without keys: %d %v", w.Code, w.Header())
	}
}

// TestRates: a key of 5 requests a second has 50 at once for all, and 10 of them for one address.
func TestRates(t *testing.T) {
	t.Parallel()
	h := gated(t)
	ask := func(address string) int {
		w := from(t, h, http.MethodGet, "/products/L2_03/similar", "", shopPage, webKey, address)
		if (w.Code == http.StatusTooManyRequests) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		return w.Code
	}
	passed := 0
	for i := range 12 {
		if ask(fmt.Sprintf("192.0.2.1:%d", i)) == http.StatusOK {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("%d requests of one address passed, want 10", passed)
	}
	for i := range 60 {
		if ask(fmt.Sprintf("[2001:db8:0:%x::%x]:1", i, i)) == http.StatusOK {
			passed++
		}
	}
	if passed != 50 {
		t.Errorf("%d requests with the key passed, want 50", passed)
	}
}

func TestAddressesAreBounded(t *testing.T) {
	t.Parallel()
	keys, err := newKeyring(keysJSON())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range mostAddresses + 10 {
		address := fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)
		keys.addresses.limiter(keys.publishable[webKey], address, now).AllowN(now, 1)
	}
	if n := len(keys.addresses.buckets); n > mostAddresses+1 {
		t.Errorf("%d addresses are kept", n)
	}
	keys.addresses.limiter(keys.publishable[webKey], "10.9.9.9:1", now.Add(time.Hour))
	if n := len(keys.addresses.buckets); n != 1 {
		t.Errorf("%d addresses are kept after an hour of silence", n)
	}
}

// TestGoldenKeys is the example of the documents.
func TestGoldenKeys(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "keys.json", golden.Indent(t, []byte(keysJSON())))
}

func TestEveryRouteHasAScope(t *testing.T) {
	t.Parallel()
	for _, route := range (&server{}).routes() {
		if _, known := scopes()[route.method+" "+route.path]; !known {
			t.Errorf("%s %s: say in scopes which keys allow it", route.method, route.path)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	publishable := func(fields string) string { return `{"keys":[{"publishable":"` + webKey + `",` + fields + `}]}` }
	digest := strings.Repeat("0", 64)
	for text, want := range map[string]string{
		"{":                  "not the JSON of keys",
		`{"keys":[]}`:        "has no keys",
		`{"keys":[null]}`:    "keys[0] of SITE_KEYS is null",
		`{"keys":[{}]} {}`:   "after its JSON",
		`{"key":[]}`:         "unknown field",
		"/nowhere/keys.json": "no such file",
		`{"keys":[{}]}`:      "either publishable or secret_sha256",
		`{"keys":[{"secret_sha256":"` + secretKey + `"}]}`:                                 "not the key",
		`{"keys":[{"secret_sha256":"` + digest + `","origins":["https://a"]}]}`:            "belongs on no page",
		`{"keys":[{"secret_sha256":"` + digest + `"},{"secret_sha256":"` + digest + `"}]}`: "repeats a key",
		`{"keys":[{"publishable":"short","scopes":["events"],"origins":["https://a"]}]}`:   "16 to 128",
		publishable(`"scopes":["events"]`):                                                 "no origins",
		publishable(`"scopes":["all"],"origins":["https://a"]`):                            "other than",
		publishable(`"scopes":["events"],"origins":["*"]`):                                 "like https://shop.example",
		publishable(`"scopes":["events"],"origins":["https://a/"]`):                        "like https://shop.example",
		publishable(`"scopes":["events"],"origins":["https://*.a"]`):                       "like https://shop.example",
		publishable(`"scopes":["events"],"origins":["https://A"]`):                         "like https://shop.example",
		publishable(`"scopes":["events"],"origins":["https://a"],"rate":-1`):               "below 0",
	} {
		_, err := newKeyring(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secretKey) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
