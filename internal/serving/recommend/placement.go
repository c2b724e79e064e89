package recommend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// List says where the products of a placement come from.
type List string

// The lists. A product that a list is about is the newest one of the visitor's history that the version knows.
const (
	ListRecommended List = "recommended" // for the visitor
	ListPopular     List = "popular"
	ListSimilar     List = "similar" // to a product
	ListTrending    List = "trending"
	ListNew         List = "new"
	ListTogether    List = "bought-together" // with a product
	ListViewed      List = "recently-viewed" // by the visitor
)

// lists are all of them, with the sources that their answers name. A visitor's recommendations say which step of
// the chain answered.
var lists = map[List]activity.Source{ListRecommended: "", ListPopular: activity.SourcePopularity,
	ListSimilar: activity.SourceSimilar, ListTrending: activity.SourceTrending, ListNew: activity.SourceNew,
	ListTogether: activity.SourceTogether, ListViewed: activity.SourceViewed}

// listNamed is the list of a source.
func listNamed(source activity.Source) List {
	for l, of := range lists {
		if of == source {
			return l
		}
	}
	return ListRecommended
}

// Placement is the rules of one place on a shop's pages, as a control has them. Its zero value is the
// recommendations of an event without a control.
type Placement struct {
	List      List                `json:"list,omitempty"` // "": ListRecommended
	Limit     *int                `json:"limit,omitempty"`
	Filter    string              `json:"filter,omitempty"`
	Boost     []activity.Boost    `json:"boost,omitempty"`
	Diversity *activity.Diversity `json:"diversity,omitempty"`
	MinShare  []activity.MinShare `json:"min_share,omitempty"`
	Exclude   []activity.ID       `json:"exclude,omitempty"`
	Fields    []activity.Field    `json:"fields,omitempty"`
}

// Problem names the first broken rule of a placement, or "". It begins with the name of a member, such as
// boost[0].where.
func (p Placement) Problem() string {
	if _, known := lists[p.List]; !known && p.List != "" {
		return "list is none of " + strings.Join(listNames(), ", ")
	}
	c := p.control(&activity.Control{})
	if problem := c.Problem(); problem != "" {
		return problem
	}
	if problem := p.list().misfit(&c); problem != "" {
		return problem
	}
	for _, e := range c.Expressions() {
		if _, err := rule.Compile(e.Text); err != nil {
			return e.Place + ": " + err.Error()
		}
	}
	return ""
}

func listNames() []string {
	names := make([]string, 0, len(lists))
	for _, l := range slices.Sorted(maps.Keys(lists)) {
		names = append(names, string(l))
	}
	return names
}

func (p Placement) list() List {
	if p.List == "" {
		return ListRecommended
	}
	return p.List
}

// misfit says which member of a control the list does not have, or "".
func (l List) misfit(c *activity.Control) string {
	member := ""
	switch {
	case l != ListSimilar:
	case c.Diversity != nil:
		member = "diversity"
	case len(c.MinShare) > 0:
		member = "min_share"
	case c.Cursor != "":
		member = "cursor"
	}
	if member == "" {
		return ""
	}
	return member + " does not apply to the list " + string(l)
}

// control is what a question asks for at the placement: what it says itself wins, but filters count both, of which
// this has the placement's, and so do the products to leave out.
func (p Placement) control(asked *activity.Control) activity.Control {
	c := *asked
	c.Filter, c.Exclude = p.Filter, slices.Concat(p.Exclude, asked.Exclude)
	if c.Limit == nil {
		c.Limit = p.Limit
	}
	if len(c.Boost) == 0 {
		c.Boost = p.Boost
	}
	if c.Diversity == nil {
		c.Diversity = p.Diversity
	}
	if len(c.MinShare) == 0 {
		c.MinShare = p.MinShare
	}
	if len(c.Fields) == 0 {
		c.Fields = p.Fields
	}
	return c
}

// Placements are one version of a shop's placements. They never change. nil: there are none.
type Placements struct {
	Version string
	Fault   error // why this program cannot read them; nil: it can
	byName  map[string]Placement
}

// placementsFormat is the number of the form in which placements are kept; a reader refuses a later one. Readers of
// form 1 do not keep rules on lists that are no search.
const placementsFormat = 2

// keptPlacements is the form in which placements are kept.
type keptPlacements struct {
	Format     int                  `json:"format"`
	Placements map[string]Placement `json:"placements"`
}

// EncodePlacements is the form in which placements are kept: JSON, which ReadPlacements reads. It has the least format
// that keeps all rules.
func EncodePlacements(byName map[string]Placement) []byte {
	format := 1
	for _, p := range byName {
		if l := p.list(); !l.searched() && l != ListSimilar &&
			(p.Filter != "" || len(p.Boost) > 0 || p.Diversity != nil || len(p.MinShare) > 0) {
			format = placementsFormat
		}
	}
	data, err := json.Marshal(keptPlacements{format, byName})
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	return data
}

// ReadPlacements reads a version of placements from the form in which they are kept. What cannot be read has a
// Fault: questions without a placement do not suffer from it.
func ReadPlacements(version string, data []byte) *Placements {
	var kept keptPlacements
	err := json.Unmarshal(data, &kept)
	switch {
	case err != nil:
		err = errors.New("they are damaged")
	case kept.Format > placementsFormat:
		err = fmt.Errorf("they have the format %d, and this program reads up to %d: update it", kept.Format, placementsFormat)
	}
	return &Placements{Version: version, Fault: err, byName: kept.Placements}
}

// Names are the placements' names, in their order.
func (p *Placements) Names() []string {
	if p == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(p.byName))
}

// Of is the placement of that name.
func (p *Placements) Of(name string) (found Placement, known bool) {
	if p == nil {
		return found, false
	}
	found, known = p.byName[name]
	return found, known
}

// queriesOf reads what a control asks for: one query, or one for each placement. Errors: *QueryError.
func (r *Recommender) queriesOf(c *activity.Control, of *Placements) ([]Query, error) {
	names := c.Asked()
	if len(names) == 0 {
		q, err := r.queryOf(c)
		return []Query{q}, err
	}
	queries := make([]Query, len(names))
	for i, name := range names {
		member := "placement"
		if c.Placement == "" {
			member = fmt.Sprintf("placements[%d]", i)
		}
		p, known := of.Of(name)
		switch {
		case of != nil && of.Fault != nil:
			return nil, &QueryError{member + " cannot be answered: the placements cannot be read, because " + of.Fault.Error()}
		case !known:
			return nil, &QueryError{member + " is none of " + of.some()}
		}
		q, err := r.placed(c, name, p)
		if err != nil {
			return nil, err
		}
		queries[i] = q
	}
	return queries, nil
}

// some names placements, for people: the first ones.
func (p *Placements) some() string {
	const shown = 20
	names := p.Names()
	switch {
	case len(names) == 0:
		return "the placements: there are none, `publish placements` makes them live"
	case len(names) > shown:
		return "the placements, such as " + strings.Join(names[:shown], ", ")
	}
	return "the placements, which are " + strings.Join(names, ", ")
}

// placed is the query of a control at a placement. Errors: *QueryError.
func (r *Recommender) placed(c *activity.Control, name string, p Placement) (q Query, err error) {
	merged := p.control(c)
	if q, err = r.queryOf(&merged); err != nil {
		return q, err
	}
	q.Placement, q.List = name, p.list()
	if c.Filter != "" {
		e, err := r.compiled(c.Filter)
		if err != nil {
			return q, &QueryError{"filter: " + err.Error()}
		}
		q.Filters = append(q.Filters, e)
	}
	if q.List == ListSimilar && !q.limited {
		q.Limit = similarItems
	}
	q.id = q.hash()
	return q, nil
}

// fits says whether a strip of an answer can be what a control asks for. A question for one list takes more. Errors:
// *QueryError.
func (q *Query) fits(c *activity.Control) error {
	if q.Placement == "" {
		return nil
	}
	if misfit := q.List.misfit(c); misfit != "" {
		return &QueryError{misfit + ", which the placement " + q.Placement + " has"}
	}
	return nil
}

// searched says whether the products of a list are found by searches.
func (l List) searched() bool { return l == "" || l == ListRecommended || l == ListPopular }

// listOf is the query of a visitor's question for one list: at a placement, that has this list. Where an experiment
// compares placements, it is by the visitor's arm. Errors: *QueryError.
func (r *Recommender) listOf(ctx context.Context, t Traffic, visitor *activity.Event, c *activity.Control,
	list List) (Query, Arm, error) {
	arm, err := r.armOf(ctx, t, visitor, c)
	if err != nil {
		return Query{}, "", err
	}
	queries, err := r.queriesOf(c, t.placementsOf(arm))
	switch {
	case err != nil:
		return Query{}, "", err
	case len(queries) > 1:
		return Query{}, "", &QueryError{"placements are several lists, and this is a question for one"}
	case queries[0].Placement != "" && queries[0].List != list:
		return Query{}, "", &QueryError{fmt.Sprintf("placement has the list %s, and not %s", queries[0].List, list)}
	}
	return queries[0], arm, nil
}
