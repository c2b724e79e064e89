package guard

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// gate is a Guard before a page that says so, and how often that was asked.
func gate(hosts ...string) (*Guard, http.Handler, *int) {
	asked := 0
	g := New("127.0.0.1:8090", hosts, slog.New(slog.DiscardHandler), func(w http.ResponseWriter, _ *http.Request,
		status int, sentence string) {
		http.Error(w, sentence, status)
	})
	return g, g.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = io.WriteString(w, "the page")
	}), "/asset/"), &asked
}

// request is one to the console, with the cookie of a browser that was let in.
func request(g *Guard, method, target string, form url.Values) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.Host = "127.0.0.1:8090"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.AddCookie(&http.Cookie{Name: g.cookie, Value: g.session})
	return r
}

// answer is what a browser got.
type answer struct {
	code    int
	header  http.Header
	cookies []*http.Cookie
}

func ask(handler http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	result := w.Result()
	_ = result.Body.Close() // of a recorder
	return answer{result.StatusCode, result.Header, result.Cookies()}
}

func TestTheTokenLetsABrowserIn(t *testing.T) {
	t.Parallel()
	g, handler, asked := gate()
	stranger := httptest.NewRequest(http.MethodGet, "/models?a=b", nil)
	stranger.Host = "localhost:8090"
	if got := ask(handler, stranger); got.code != http.StatusUnauthorized || *asked != 0 {
		t.Fatalf("a browser without the token got %d", got.code)
	}
	first := httptest.NewRequest(http.MethodGet, "/models?a=b&"+g.Query(), nil)
	first.Host = "localhost:8090"
	got := ask(handler, first)
	to := got.header.Get("Location")
	if got.code != http.StatusSeeOther || to != "/models?a=b" || len(got.cookies) != 1 {
		t.Fatalf("the token led to %d %q", got.code, to)
	}
	cookie := got.cookies[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, g.token) {
		t.Errorf("the cookie is %+v", cookie)
	}
	second := httptest.NewRequest(http.MethodGet, to, nil)
	second.Host = "localhost:8090"
	second.AddCookie(cookie)
	if got := ask(handler, second); got.code != http.StatusOK || *asked != 1 {
		t.Errorf("with the cookie it got %d", got.code)
	}
}

// TestNoOtherTokenLetsIn tries what is near the token, and addresses that could lead elsewhere.
func TestNoOtherTokenLetsIn(t *testing.T) {
	t.Parallel()
	g, handler, _ := gate()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.OneOf(rapid.String(), rapid.Just(g.token+"A"), rapid.Just(g.token[1:]), rapid.Just(""),
			rapid.Just(strings.ToLower(g.token)), rapid.Just(g.session)).Draw(t, "token")
		if token == g.token {
			t.Skip()
		}
		r := httptest.NewRequest(http.MethodGet, "/?"+url.Values{TokenParameter: {token}}.Encode(), nil)
		r.Host = "127.0.0.1"
		if got := ask(handler, r); got.code != http.StatusUnauthorized || len(got.cookies) > 0 {
			t.Fatalf("token %q got %d", token, got.code)
		}
	})
	for _, path := range []string{"//evil.example/x", "/\\evil.example", "///evil.example"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.URL.Path, r.URL.RawQuery = "127.0.0.1", path, g.Query()
		to, err := url.Parse(ask(handler, r).header.Get("Location"))
		if err != nil || to.Host != "" || strings.HasPrefix(to.Path, "//") || strings.HasPrefix(to.Path, `/\`) {
			t.Errorf("%q leads to %q", path, to)
		}
	}
}

func TestOnlyAllowedHostsAreAnswered(t *testing.T) {
	t.Parallel()
	g, handler, asked := gate("laptop.example")
	for host, want := range map[string]int{"127.0.0.1:8090": 200, "localhost": 200, "LOCALHOST.:1": 200, "[::1]:8090": 200,
		"127.9.9.9": 200, "laptop.example:8090": 200, "evil.example": 421, "127.0.0.1.evil.example": 421, "10.0.0.1": 421,
		"localhost.evil.example": 421, "": 421, "evil.localhost.": 421} {
		before := *asked
		r := request(g, http.MethodGet, "/", nil)
		r.Host = host
		if got := ask(handler, r); got.code != want || (*asked > before) != (want == 200) {
			t.Errorf("host %q got %d, want %d", host, got.code, want)
		}
	}
}

// TestOnlyOwnFormsChangeAnything sends every method with every mixture of a form's token and of what a
// browser says of the page that the request comes from.
func TestOnlyOwnFormsChangeAnything(t *testing.T) {
	t.Parallel()
	g, handler, asked := gate()
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]string{"POST", "PUT", "PATCH", "DELETE"}).Draw(t, "method")
		token := rapid.SampledFrom([]string{g.form, "", g.session, g.form[1:]}).Draw(t, "form token")
		site := rapid.SampledFrom([]string{"same-origin", "", "cross-site", "same-site"}).Draw(t, "site")
		r := request(g, method, "/", url.Values{FormField: {token}})
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		before := *asked
		got := ask(handler, r)
		own := token == g.form && (site == "same-origin" || site == "") && method != http.MethodDelete
		if own != (got.code == http.StatusOK) || own != (*asked > before) {
			t.Fatalf("%s from %q with a token of %d letters got %d", method, site, len(token), got.code)
		}
	})
}

func TestNothingFromElsewhereIsLoaded(t *testing.T) {
	t.Parallel()
	g, handler, _ := gate()
	for _, r := range []*http.Request{request(g, http.MethodGet, "/", nil), request(g, http.MethodPost, "/", nil),
		httptest.NewRequest(http.MethodGet, "/asset/x", nil)} {
		header := ask(handler, r).header
		if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") ||
			strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("policy %q", policy)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" {
			t.Error("types may be guessed")
		}
	}
}
