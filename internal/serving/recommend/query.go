package recommend

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"

	"kindred/internal/stream/activity"
)

// Query is what a question asks for beside its event: a control that was read.
type Query struct {
	Limit   int      // how many products; at least 1
	Cursor  string   // of an earlier answer: what comes after it; "": the best ones
	Exclude []string // products to leave out
	id      string   // 16 hexadecimal digits of a hash of the control; "": there is none
}

// QueryError says that a control cannot be answered: no retry helps. Its message repeats no value.
type QueryError struct{ Message string }

// Error is the message.
func (e *QueryError) Error() string { return e.Message }

// Unwrap is the error of a store that refuses values: what handles such an error handles this one too.
func (e *QueryError) Unwrap() error { return &RefusedError{Reason: e.Message} }

// queryOf reads a control; nil is the query of an event without one.
func queryOf(c *activity.Control) Query {
	q := Query{Limit: recommendedItems}
	if c == nil {
		return q
	}
	q.Cursor = c.Cursor
	if c.Limit != nil {
		q.Limit = *c.Limit
	}
	for _, id := range c.Exclude {
		q.Exclude = append(q.Exclude, string(id))
	}
	q.id = q.hash()
	return q
}

// hash is the query's id: two queries that ask for the same products have the same one.
func (q *Query) hash() string {
	exclude := slices.Clone(q.Exclude)
	slices.Sort(exclude)
	text, err := json.Marshal([]any{q.Limit, slices.Compact(exclude)})
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// page is a place in the list of all products that a query finds, which answers show one after the other.
type page struct {
	number   int // from 0
	explored int // how many new products the first page has
}

// MaxPaged bounds how many products all pages of a query show together.
const MaxPaged = MaxLimit

// cursor names the page for a caller.
func (p page) cursor(version, query string) string {
	return base64.RawURLEncoding.EncodeToString(p.sealed(version, query))
}

func (p page) sealed(version, query string) []byte {
	place := []byte{byte(p.number >> 8), byte(p.number), byte(p.explored)}
	sum := sha256.Sum256(append(place, version+"/"+query...))
	return append(place, sum[:8]...)
}

// pageOf reads a cursor. Errors: *QueryError for one that no answer to this query from this version gave.
func pageOf(q *Query, version string) (p page, err error) {
	if q.Cursor == "" {
		return p, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil && len(data) > 3 {
		p = page{int(data[0])<<8 | int(data[1]), int(data[2])}
		if string(p.sealed(version, q.id)) == string(data) && (p.number+1)*q.Limit <= MaxPaged {
			return p, nil
		}
	}
	return page{}, &QueryError{"cursor is of another question, or of a model version that is no longer live: " +
		"ask without it"}
}

// next is the page after p; false: all that may be shown was.
func (p page) next(limit, explored int) (page, bool) {
	if p.number == 0 {
		p.explored = explored
	}
	p.number++
	return p, (p.number+1)*limit <= MaxPaged
}
