package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// scope is what a key allows.
type scope string

const (
	scopeEvents          scope = "events"          // POST /events, of visitors
	scopeRecommendations scope = "recommendations" // answers to sessions and about products
	scopeCustomers       scope = "customers"       // answers about a customer who is named
	scopeAll             scope = "all"             // of a secret key alone
	scopeNone            scope = ""                // nobody needs a key
)

// scopes are what the routes ask for. A test finds a route that is not there; it asks for a secret key.
func scopes() map[string]scope {
	return map[string]scope{
		"POST /events":                         scopeEvents,
		"POST /recommendations":                scopeRecommendations,
		"GET /products/{code}/similar":         scopeRecommendations,
		"GET /customers/{id}/recommendations":  scopeCustomers,
		"GET /lists/{list}":                    scopeRecommendations,
		"GET /products/{code}/bought-together": scopeRecommendations,
		"GET /sessions/{id}/recently-viewed":   scopeRecommendations,
		"GET /customers/{id}/recently-viewed":  scopeCustomers,
		"POST /rerank":                         scopeRecommendations,
		"GET /health":                          scopeNone,
		"GET /openapi.json":                    scopeNone,
		"GET /kindred.js":                      scopeNone,
	}
}

// Limits of keys.
const (
	defaultRate   = 50.0 // requests a second with a publishable key
	addressShare  = 0.2  // of that rate, for one address
	burstSeconds  = 10   // of a rate may come at once
	mostAddresses = 10_000
)

// Prefixes of keys, so that a person and a scanner of secrets know them.
const (
	publishablePrefix = "pk_"
	secretPrefix      = "sk_"
)

// key is one entry of the file of keys: publishable, or secret.
type key struct {
	Name         string   `json:"name"`
	Publishable  string   `json:"publishable"`   // the key itself: every visitor of a page sees it
	SecretSHA256 string   `json:"secret_sha256"` // of the key, in hexadecimal: the file holds no secret
	Scopes       []scope  `json:"scopes"`        // of a publishable key
	Origins      []string `json:"origins"`       // of the pages that may use it
	Rate         float64  `json:"rate"`          // requests a second; 0: 50 for a publishable key, no limit for a secret one
	requests     *rate.Limiter
}

// keyring holds all keys. It is safe for concurrent use.
type keyring struct {
	publishable map[string]*key
	secret      map[string]*key // by SHA-256
	origins     []string        // of all keys
	addresses   addresses
}

var (
	keyText   = regexp.MustCompile(`^pk_[A-Za-z0-9_-]{16,128}$`)
	digest256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// errKeys is what is wrong with the keys.
var errKeys = errors.New("read SITE_KEYS")

// newKeyring reads the keys from JSON, or from the file of that name. It is nil without any.
func newKeyring(setting string) (*keyring, error) {
	if setting == "" {
		return nil, nil
	}
	data, place := []byte(setting), "SITE_KEYS"
	if !strings.HasPrefix(strings.TrimSpace(setting), "{") {
		var err error
		if data, err = os.ReadFile(setting); err != nil { //nolint:gosec // the operator names it
			return nil, fmt.Errorf("%w: %w", errKeys, err)
		}
		place = setting
	}
	var file struct {
		Keys []*key `json:"keys"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%w: %s is not the JSON of keys: %w", errKeys, place, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s has something after its JSON", errKeys, place)
	}
	ring := &keyring{publishable: map[string]*key{}, secret: map[string]*key{},
		addresses: addresses{buckets: map[string]*rate.Limiter{}}}
	for i, k := range file.Keys {
		if k == nil {
			return nil, fmt.Errorf("%w: keys[%d] of %s is null", errKeys, i, place)
		}
		if problem := ring.add(k); problem != "" {
			return nil, fmt.Errorf("%w: keys[%d] of %s %s", errKeys, i, place, problem)
		}
	}
	if len(file.Keys) == 0 {
		return nil, fmt.Errorf("%w: %s has no keys: nobody could call", errKeys, place)
	}
	return ring, nil
}

// add takes a key, or says what is wrong with it. It repeats no key.
func (ring *keyring) add(k *key) (problem string) {
	switch {
	case (k.Publishable == "") == (k.SecretSHA256 == ""):
		return "must have either publishable or secret_sha256"
	case k.Rate < 0:
		return "has a rate below 0"
	case k.SecretSHA256 != "" && !digest256.MatchString(k.SecretSHA256):
		return "has a secret_sha256 that is not 64 hexadecimal digits in lower case: write the key's SHA-256, not the key"
	case k.SecretSHA256 != "" && len(k.Scopes)+len(k.Origins) > 0:
		return "is secret, and has scopes or origins: a secret key allows everything, and belongs on no page"
	case k.SecretSHA256 != "":
		return ring.addSecret(k)
	case !keyText.MatchString(k.Publishable):
		return "has a publishable key that is not " + publishablePrefix + " and 16 to 128 letters, digits, _ and -"
	case ring.publishable[k.Publishable] != nil:
		return "repeats a key"
	case len(k.Scopes) == 0 || len(k.Origins) == 0:
		return "is publishable, and has no scopes or no origins"
	}
	for _, s := range k.Scopes {
		if !slices.Contains([]scope{scopeEvents, scopeRecommendations, scopeCustomers}, s) {
			return "has a scope other than events, recommendations and customers"
		}
	}
	for _, origin := range k.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != origin ||
			strings.ToLower(origin) != origin || strings.Contains(origin, "*") {
			return "has an origin that is not like https://shop.example, in lower case and without a path"
		}
	}
	if k.Rate == 0 {
		k.Rate = defaultRate
	}
	k.requests = rate.NewLimiter(rate.Limit(k.Rate), burst(k.Rate))
	ring.publishable[k.Publishable] = k
	ring.origins = append(ring.origins, k.Origins...)
	return ""
}

func (ring *keyring) addSecret(k *key) (problem string) {
	if ring.secret[k.SecretSHA256] != nil {
		return "repeats a key"
	}
	k.requests = rate.NewLimiter(rate.Inf, 0)
	if k.Rate > 0 {
		k.requests = rate.NewLimiter(rate.Limit(k.Rate), burst(k.Rate))
	}
	ring.secret[k.SecretSHA256] = k
	return ""
}

func burst(perSecond float64) int { return max(1, int(perSecond*burstSeconds)) }

// find is the key that a request brings; problem says why there is none. A publishable key may stand in the address,
// because a page cannot set a header where it says goodbye (sendBeacon).
func (ring *keyring) find(r *http.Request) (k *key, problem string) {
	given := ""
	if scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(bearer)
	}
	if header := r.Header.Get("X-Kindred-Key"); header != "" { // where Authorization is AWS's signature
		given = header
	}
	if inAddress := r.URL.Query().Get("key"); given == "" && inAddress != "" {
		if !strings.HasPrefix(inAddress, publishablePrefix) {
			return nil, "only a publishable key may stand in the address: logs keep addresses"
		}
		given = inAddress
	}
	if strings.HasPrefix(given, publishablePrefix) {
		k = ring.publishable[given]
	} else if strings.HasPrefix(given, secretPrefix) {
		sum := sha256.Sum256([]byte(given)) // a comparison of digests tells nothing of the key by its time
		k = ring.secret[hex.EncodeToString(sum[:])]
	}
	if k == nil {
		return nil, "send a key of this server, as Authorization: Bearer KEY or X-Kindred-Key: KEY"
	}
	return k, ""
}

func (k *key) secret() bool { return k.SecretSHA256 != "" }

func (k *key) allows(s scope) bool {
	return k.secret() || s == scopeNone || slices.Contains(k.Scopes, s)
}

// addresses limits each client address that uses a publishable key. It is safe for concurrent use.
type addresses struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by key and address
}

// limiter is the one of an address. When there are too many, those that have all their tokens go; they would be the
// same again.
func (a *addresses) limiter(k *key, remote string, now time.Time) *rate.Limiter {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil { // a subscriber has a whole network of IPv6
		host = ip.Mask(net.CIDRMask(64, 128)).String()
	}
	name := k.Publishable + " " + host
	a.mu.Lock()
	defer a.mu.Unlock()
	if found := a.buckets[name]; found != nil {
		return found
	}
	if len(a.buckets) >= mostAddresses {
		for other, bucket := range a.buckets {
			if bucket.TokensAt(now) >= float64(bucket.Burst()) {
				delete(a.buckets, other)
			}
		}
	}
	if len(a.buckets) >= mostAddresses { // all are busy: strangers share one
		if name = "others"; a.buckets[name] != nil {
			return a.buckets[name]
		}
	}
	made := rate.NewLimiter(rate.Limit(k.Rate*addressShare), burst(k.Rate*addressShare))
	a.buckets[name] = made
	return made
}
