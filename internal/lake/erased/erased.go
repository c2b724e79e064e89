// Package erased is the list of the persons whom the shop has erased: customers and sessions. Programs that
// bring data in leave these persons out, so that a person who is still in MySQL, in a failed batch or in a
// recorded file does not come back. The list lies in the lake and holds no id. An entry is an HMAC-SHA256 of
// an id (RFC 2104) with a secret that lies elsewhere: a plain hash of a number is guessed at once. The package
// owns the list's form and its changes. Package erase finds and deletes what there is of these persons.
package erased

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// Format is the version of the list's layout. A reader refuses a later one.
const Format = 1

const (
	listKey = envconfig.ErasedPrefix + "list.json"
	// minSecret is the shortest secret in bytes. NIST SP 800-107 wants as many as the hash has bits of strength.
	minSecret = 16
	// markBytes are kept of an HMAC: no two ids of one shop collide.
	markBytes = 16
	// tries bounds how often an addition begins again because another one came first.
	tries = 20
)

// mark stands for a person.
type mark [markBytes]byte

// The kinds of persons are apart: a session may have the id of a customer.
const (
	customerMark = "customer\x00"
	sessionMark  = "session\x00"
	keyMark      = "key\x00"
	reportMark   = "report\x00"
)

// List is the list as it was read. It never changes: Add returns another one. It is safe for concurrent use. A
// nil List has nobody.
type List struct {
	secret []byte
	marks  map[mark]time.Time // when the person was put on the list, in whole seconds UTC
}

// file is the list's form.
type file struct {
	Format int     `json:"format"`
	Key    string  `json:"key"` // which secret the list was made with
	Erased []entry `json:"erased"`
}

type entry struct {
	Mark string    `json:"mark"` // lower-case hex
	At   time.Time `json:"at"`
}

// Read reads the list of a lake. It is nil if nobody was ever erased. A list without its secret, or with another
// one, is envconfig.ErrConfig: whoever went on would bring the erased back.
func Read(ctx context.Context, lake objectstore.Store, secret string) (*List, error) {
	l, _, err := read(ctx, lake, secret)
	if err != nil || len(l.marks) == 0 {
		return nil, err
	}
	return l, nil
}

func read(ctx context.Context, lake objectstore.Store, secret string) (l *List, etag string, err error) {
	l = &List{secret: []byte(secret), marks: map[mark]time.Time{}}
	data, info, err := objectstore.ReadAll(ctx, lake, listKey)
	if errors.Is(err, objectstore.ErrNotFound) {
		return l, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the list of erased customers: %w", err)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, "", fmt.Errorf("read the list of erased customers, %s of %s: it is no JSON: %w", listKey, lake, err)
	}
	if f.Format > Format {
		return nil, "", fmt.Errorf("the list of erased customers, %s of %s, has format %d, and this program knows up "+
			"to %d: use a newer program", listKey, lake, f.Format, Format)
	}
	if err := checkSecret(secret); err != nil {
		return nil, "", fmt.Errorf("the lake %s has a list of erased customers: %w", lake, err)
	}
	if f.Key != l.key() {
		return nil, "", fmt.Errorf("%w: ERASE_SECRET is not the secret with which the list of erased customers in %s was "+
			"made", envconfig.ErrConfig, lake)
	}
	for i, e := range f.Erased {
		raw, err := hex.DecodeString(e.Mark)
		if err != nil || len(raw) != markBytes {
			return nil, "", fmt.Errorf("read the list of erased customers, %s of %s: entry %d is no mark", listKey, lake, i)
		}
		l.marks[mark(raw)] = e.At
	}
	return l, info.ETag, nil
}

func checkSecret(secret string) error {
	if secret == "" {
		return fmt.Errorf("%w: %w", envconfig.ErrConfig, envconfig.NotSetError{Variable: "ERASE_SECRET",
			Want: "the secret with which erase runs"})
	}
	if len(secret) < minSecret {
		return fmt.Errorf("%w: ERASE_SECRET has fewer than %d characters", envconfig.ErrConfig, minSecret)
	}
	return nil
}

// Add puts persons on the list of a lake, and returns the list as it is then; added is how many were new. Others
// may add at the same time.
func Add(ctx context.Context, lake objectstore.Store, secret string, customers, sessions []string) (_ *List,
	added int, err error) {
	if err := checkSecret(secret); err != nil {
		return nil, 0, err
	}
	for range tries {
		l, etag, err := read(ctx, lake, secret)
		if err != nil {
			return nil, 0, err
		}
		before, now := len(l.marks), time.Now().UTC().Truncate(time.Second)
		for kind, ids := range map[string][]string{customerMark: customers, sessionMark: sessions} {
			for _, id := range ids {
				if m := l.mark(kind, id); l.marks[m].IsZero() {
					l.marks[m] = now
				}
			}
		}
		if added = len(l.marks) - before; added == 0 {
			return l, 0, nil
		}
		data, err := l.encode()
		if err != nil {
			return nil, 0, err
		}
		_, err = lake.Put(ctx, listKey, bytes.NewReader(data), int64(len(data)),
			objectstore.Condition{IfNoneMatch: etag == "", IfMatch: etag})
		if err == nil {
			return l, added, nil
		}
		if !errors.Is(err, objectstore.ErrPrecondition) {
			return nil, 0, fmt.Errorf("write the list of erased customers: %w", err)
		}
	}
	return nil, 0, fmt.Errorf("write the list of erased customers: others changed it %d times meanwhile; try again", tries)
}

func (l *List) encode() ([]byte, error) {
	f := file{Format: Format, Key: l.key(), Erased: []entry{}}
	for _, m := range slices.SortedFunc(maps.Keys(l.marks), func(a, b mark) int { return bytes.Compare(a[:], b[:]) }) {
		f.Erased = append(f.Erased, entry{hex.EncodeToString(m[:]), l.marks[m]})
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the list of erased customers: %w", err)
	}
	return append(data, '\n'), nil
}

// Customer says whether a customer was erased.
func (l *List) Customer(id string) bool { return l.has(customerMark, id) }

// Session says whether a session was of somebody who was erased.
func (l *List) Session(id string) bool { return l.has(sessionMark, id) }

// Row says whether a row is of somebody who was erased: of its customer, or if it names none (""), of its session.
// A session may be shared: the row of another customer in it is that customer's.
func (l *List) Row(customer, session string) bool {
	if customer != "" {
		return l.Customer(customer)
	}
	return session != "" && l.Session(session)
}

// Len is how many marks the list has.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return len(l.marks)
}

// Newest is when somebody was put on the list last; zero: never.
func (l *List) Newest() (newest time.Time) {
	if l == nil {
		return newest
	}
	for _, at := range l.marks {
		if at.After(newest) {
			newest = at
		}
	}
	return newest
}

// Signer is a list of nobody: it signs reports without a lake.
func Signer(secret string) *List { return &List{secret: []byte(secret)} }

// Sign is an HMAC of a report, in lower-case hex. Whoever has the secret can repeat it.
func (l *List) Sign(report []byte) string {
	return hex.EncodeToString(l.sum(reportMark, string(report)))
}

func (l *List) has(kind, id string) bool {
	if l == nil {
		return false
	}
	_, there := l.marks[l.mark(kind, id)]
	return there
}

func (l *List) mark(kind, id string) mark { return mark(l.sum(kind, id)[:markBytes]) }

// key says which secret it is, and not what it is.
func (l *List) key() string { return hex.EncodeToString(l.sum(keyMark, ""))[:2*markBytes] }

func (l *List) sum(kind, text string) []byte {
	h := hmac.New(sha256.New, l.secret)
	_, _ = strings.NewReader(kind + text).WriteTo(h) // a hash takes everything
	return h.Sum(nil)
}
