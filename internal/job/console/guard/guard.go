// Package guard stands between a browser and the console. It lets in who opened the address that the
// program printed, refuses requests that another site made the browser send, and says what a page may
// load. It owns the token, the cookie, the form's token and the headers. It knows no page.
package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"kindred/internal/platform/logkey"
)

// Names of what a browser sends.
const (
	TokenParameter = "token"      // of the printed address
	FormField      = "form_token" // of every form
)

// maxForm bounds the body of a request in bytes: no form of the console is longer.
const maxForm = 64 << 10

// policy is the Content-Security-Policy of every answer: what this program serves, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Guard decides who may ask. It is safe for concurrent use.
type Guard struct {
	token, session, form string
	cookie               string
	hosts                map[string]bool
	cross                *http.CrossOriginProtection
	log                  *slog.Logger
	refuse               Refusal
}

// Refusal writes a page that says why nothing else is shown. The sentence repeats nothing of the request.
type Refusal func(w http.ResponseWriter, r *http.Request, status int, sentence string)

// New makes a Guard with fresh secrets. listen is the address that the program listens on, hosts are
// further names that requests may be addressed to.
func New(listen string, hosts []string, log *slog.Logger, refuse Refusal) *Guard {
	g := &Guard{token: rand.Text(), session: rand.Text(), hosts: map[string]bool{}, log: log, refuse: refuse,
		cross: http.NewCrossOriginProtection()}
	g.form = sign(g.session, "form")
	host, port, _ := net.SplitHostPort(listen)
	g.cookie = "kindred-console-" + port // cookies do not tell ports apart
	for _, name := range append(hosts, host) {
		if name != "" {
			g.hosts[strings.ToLower(name)] = true
		}
	}
	return g
}

func sign(key, what string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(what))
	return hex.EncodeToString(mac.Sum(nil))
}

// Query is the part of the printed address that lets a browser in.
func (g *Guard) Query() string { return TokenParameter + "=" + g.token }

// FormToken is the value of FormField.
func (g *Guard) FormToken() string { return g.form }

// Protect lets through to next only what may pass. What lies under open needs no cookie: it is the same
// for everybody.
func (g *Guard) Protect(next http.Handler, open string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin") // an address may hold the token or a customer's id
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		switch {
		case !g.known(r.Host):
			g.refuse(w, r, http.StatusMisdirectedRequest, "The address names a host that this console does not answer to. "+
				"Start it with --allow-host NAME to use that name.")
		case strings.HasPrefix(r.URL.Path, open) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			next.ServeHTTP(w, r)
		case r.URL.Query().Has(TokenParameter):
			g.admit(w, r)
		case !g.admitted(r):
			g.refuse(w, r, http.StatusUnauthorized, "Open the address that the console printed when it started: it holds a "+
				"token that lets this browser in.")
		case g.forged(w, r):
			g.refuse(w, r, http.StatusForbidden, "The form did not come from a page of this console, or from one of an "+
				"earlier start. Nothing was changed. Load the page again.")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// known says whether a Host header names this machine or an allowed name. That stops DNS rebinding: a
// web page whose own name was made to lead to this machine still sends that name.
func (g *Guard) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback() || g.hosts[name]
}

// admit gives a browser that has the token a cookie, and takes the token out of its address.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !same(query.Get(TokenParameter), g.token) {
		g.refuse(w, r, http.StatusUnauthorized, "The token in the address is not the one of this start. Open the address "+
			"that the console printed last.")
		return
	}
	//nolint:gosec // not Secure: on the loopback interface there is no TLS
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.session, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode})
	query.Del(TokenParameter)
	to := *r.URL
	to.Scheme, to.Host, to.RawQuery = "", "", query.Encode()
	to.Path = "/" + strings.TrimLeft(to.Path, "/\\")          // never another host
	http.Redirect(w, r, to.RequestURI(), http.StatusSeeOther) //nolint:gosec // it has no host
}

func (g *Guard) admitted(r *http.Request) bool {
	cookie, err := r.Cookie(g.cookie)
	return err == nil && same(cookie.Value, g.session)
}

// forged says whether a request that may change something did not come from a form of this console.
func (g *Guard) forged(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	return g.cross.Check(r) != nil || !same(r.PostFormValue(FormField), g.form)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Logged writes a line for each answer: route, status and time, nothing of what was asked.
func (g *Guard) Logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(seen, r)
		g.log.DebugContext(r.Context(), "answered", logkey.Route, r.Pattern, logkey.Status, seen.code,
			logkey.Duration, time.Since(began).Milliseconds())
	})
}

// status remembers the code of an answer.
type status struct {
	http.ResponseWriter

	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }
