package main

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// corsAge is how long a browser may keep the answer to its preflight.
const corsAge = 10 * time.Minute

// keyOf is the key that a request has brought; nil: this server has no keys.
type keyOf struct{}

// callerKey is the key of a request that has passed the gate; nil: this server has no keys, and everybody may do
// everything.
func callerKey(ctx context.Context) *key {
	k, _ := ctx.Value(keyOf{}).(*key)
	return k
}

// pass lets a request through that may call the route of the pattern, with its key in its context. Otherwise it
// answers it, and ok is false. A browser's preflight is answered too.
func (s *server) pass(w http.ResponseWriter, r *http.Request, pattern string) (passed *http.Request, ok bool) {
	passed = withoutKey(r)
	origin := r.Header.Get("Origin")
	if s.keys == nil {
		if changes := r.Method == http.MethodPost; changes && foreign(origin, r.Host) {
			s.problem(w, r, http.StatusForbidden, "a page of another origin needs a key, and this server has none (SITE_KEYS)")
			return nil, false
		}
		return passed, true
	}
	w.Header().Add("Vary", "Origin")
	if slices.Contains(s.keys.origins, origin) { // the page may read the answer, also if it is a problem
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
	if r.Method == http.MethodOptions {
		s.preflight(w, r, origin)
		return nil, false
	}
	needs, known := scopes()[pattern]
	if !known {
		needs = scopeAll
	}
	if needs == scopeNone || pattern == "" {
		return passed, true
	}
	k, problem := s.keys.find(r)
	if problem != "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.problem(w, r, http.StatusUnauthorized, problem)
		return nil, false
	}
	switch {
	case k.secret() && origin != "":
		s.problem(w, r, http.StatusForbidden, "a page has sent a secret key: replace it, and use a publishable one there")
		return nil, false
	case !k.secret() && origin != "" && !slices.Contains(k.Origins, origin):
		s.problem(w, r, http.StatusForbidden, "the key does not belong to the origin of this page")
		return nil, false
	case !k.allows(needs):
		s.problem(w, r, http.StatusForbidden, "the key does not allow this")
		return nil, false
	}
	if wait := s.take(k, r); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
		s.problem(w, r, http.StatusTooManyRequests, "too many requests with this key, or from this address; try again later")
		return nil, false
	}
	return passed.WithContext(context.WithValue(r.Context(), keyOf{}, k)), true
}

// withoutKey is the request without the parameter key, which no route takes.
func withoutKey(r *http.Request) *http.Request {
	query := r.URL.Query()
	if !query.Has("key") {
		return r
	}
	query.Del("key")
	stripped := *r.URL
	stripped.RawQuery = query.Encode()
	copied := r.WithContext(r.Context())
	copied.URL = &stripped
	return copied
}

// preflight answers a browser that asks whether a page of an origin may make a request.
func (s *server) preflight(w http.ResponseWriter, r *http.Request, origin string) {
	if !slices.Contains(s.keys.origins, origin) {
		s.problem(w, r, http.StatusForbidden, "pages of this origin may not call this server")
		return
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join([]string{http.MethodGet, http.MethodPost}, ", "))
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Kindred-Key")
	w.Header().Set("Access-Control-Max-Age", strconv.Itoa(int(corsAge.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// take takes a request off the rates of its key and of its address, and says how long it would have to wait; 0: not
// at all.
func (s *server) take(k *key, r *http.Request) time.Duration {
	now := s.now()
	limits := []*rate.Limiter{k.requests}
	if !k.secret() {
		limits = append(limits, s.keys.addresses.limiter(k, r.RemoteAddr, now))
	}
	var taken []*rate.Reservation
	for _, limit := range limits {
		taken = append(taken, limit.ReserveN(now, 1))
		if wait := taken[len(taken)-1].DelayFrom(now); wait > 0 {
			for _, reservation := range taken {
				reservation.CancelAt(now)
			}
			return wait
		}
	}
	return 0
}

// foreign reports a page that was not loaded from this host. Browsers send the origin with every POST.
func foreign(origin, host string) bool {
	return origin != "" && origin != "http://"+host && origin != "https://"+host
}
