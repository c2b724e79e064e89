package recommend

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// Query is what a question asks for beside its event: a control that was read.
type Query struct {
	Placement string // whose rules they are; "": none
	List      List   // where the products come from; "": ListRecommended
	Limit     int    // how many products; at least 1
	limited   bool   // Limit was asked for
	Cursor    string // of an earlier answer: what comes after it; "": the best ones
	Exclude   []string
	Filters   []*rule.Expr // only products that match all of them
	Boosts    []rule.Boost
	Diversity *Diversity // nil: none
	MinShare  []MinShare
	fields    []activity.Field // what is asked to be shown of each product
	id        string           // 16 hexadecimal digits of a hash of the control; "": there is none
	subject   string           // whom or what the answer is for: a cursor is for the same one
}

// Diversity keeps the products of an answer from being too much alike: where By is a label, at most AtMost of them
// have the same one; else by maximal marginal relevance, where the score has the weight MMR and the likeness
// 1 - MMR.
type Diversity struct {
	By     Label
	AtMost int
	MMR    float64
}

// byLikeness says whether the vectors of products decide which of them an answer has.
func (q *Query) byLikeness() bool { return q.Diversity != nil && q.Diversity.By == ByNothing }

// MinShare is how much of an answer matches at least, as far as there are such products.
type MinShare struct {
	Where *rule.Expr
	Share float64 // above 0, up to 1
}

// of is how many of so many products match at least.
func (m MinShare) of(limit int) int {
	const rounding = 1e-9 // 0.3 × 10 is more than 3
	return int(math.Ceil(m.Share*float64(limit) - rounding))
}

// rules are the query's for a search; nil: it has none.
func (q *Query) rules(further ...*rule.Expr) *Rules {
	r := &Rules{Filters: slices.Concat(q.Filters, further), Boosts: q.Boosts}
	for _, m := range q.MinShare {
		r.Marks = append(r.Marks, m.Where)
	}
	if q.Diversity != nil {
		r.By = q.Diversity.By
	}
	if len(r.Filters)+len(r.Boosts)+len(r.Marks) == 0 && r.By == ByNothing {
		return nil
	}
	return r
}

// QueryError says that a control cannot be answered: no retry helps. Its message repeats no value.
type QueryError struct{ Message string }

// Error is the message.
func (e *QueryError) Error() string { return e.Message }

// Unwrap is the error of a store that refuses values: what handles such an error handles this one too.
func (e *QueryError) Unwrap() error { return &RefusedError{Reason: e.Message} }

// queryOf reads a control; nil is the query of an event without one. Errors: *QueryError.
func (r *Recommender) queryOf(c *activity.Control) (q Query, err error) {
	q.Limit = recommendedItems
	if c == nil {
		return q, nil
	}
	q.Cursor = c.Cursor
	if c.Limit != nil {
		q.Limit, q.limited = *c.Limit, true
	}
	q.fields = c.Fields
	for _, id := range c.Exclude {
		q.Exclude = append(q.Exclude, string(id))
	}
	read := func(place, text string) *rule.Expr {
		e, fault := r.compiled(text)
		if fault != nil && err == nil {
			err = &QueryError{place + ": " + fault.Error()}
		}
		return e
	}
	if c.Filter != "" {
		q.Filters = append(q.Filters, read("filter", c.Filter))
	}
	for i, b := range c.Boost {
		q.Boosts = append(q.Boosts, rule.Boost{Where: read(fmt.Sprintf("boost[%d].where", i), b.Where), Factor: b.Factor})
	}
	for i, m := range c.MinShare {
		q.MinShare = append(q.MinShare, MinShare{read(fmt.Sprintf("min_share[%d].where", i), m.Where), m.Share})
	}
	if d := c.Diversity; d != nil {
		q.Diversity = &Diversity{By: Label(d.By), AtMost: d.AtMost}
		if d.MMR != nil {
			q.Diversity.MMR = *d.MMR
		}
	}
	if err == nil {
		q.id = q.hash()
	}
	return q, err
}

// keptRules is how many expressions stay compiled. A shop's pages ask with a few ones again and again.
const keptRules = 1000

// compiled is an expression. It makes each one once.
func (r *Recommender) compiled(text string) (*rule.Expr, error) {
	r.mu.Lock()
	e := r.exprs[text]
	r.mu.Unlock()
	if e != nil {
		return e, nil
	}
	e, err := rule.Compile(text)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.exprs) >= keptRules {
		clear(r.exprs)
	}
	r.exprs[text] = e
	return e, nil
}

// hash is the query's id: two queries that ask for the same products have the same one.
func (q *Query) hash() string {
	exclude := slices.Clone(q.Exclude)
	slices.Sort(exclude)
	asked := []any{q.Placement, q.Limit, slices.Compact(exclude)}
	for _, e := range q.Filters {
		asked = append(asked, "filter", e.String())
	}
	for _, b := range q.Boosts {
		asked = append(asked, "boost", b.Where.String(), b.Factor)
	}
	for _, m := range q.MinShare {
		asked = append(asked, "min_share", m.Where.String(), m.Share)
	}
	if q.List != "" && q.List != ListRecommended {
		asked = append(asked, "list", q.List)
	}
	text, err := json.Marshal(append(asked, q.Diversity))
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
func (p page) cursor(q *Query, version string) string {
	return base64.RawURLEncoding.EncodeToString(p.sealed(q, version))
}

func (p page) sealed(q *Query, version string) []byte {
	place := []byte{byte(p.number >> 8), byte(p.number), byte(p.explored)}
	sum := sha256.Sum256(append(place, version+"/"+q.id+"/"+q.subject...))
	return append(place, sum[:8]...)
}

// pageOf reads a cursor. Errors: *QueryError for one that no answer to this query and subject from this version gave.
func pageOf(q *Query, version string) (p page, err error) {
	if q.Cursor == "" {
		return p, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil && len(data) > 3 {
		p = page{int(data[0])<<8 | int(data[1]), int(data[2])}
		if string(p.sealed(q, version)) == string(data) && (p.number+1)*q.Limit <= MaxPaged {
			return p, nil
		}
	}
	return page{}, &QueryError{"cursor is of another question or visitor, or of a model version that is no longer live: " +
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
