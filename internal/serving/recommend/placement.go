package recommend

import (
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
	ranked := l == ListRecommended || l == ListPopular
	for _, m := range []struct {
		name  string
		given bool
		fits  bool
	}{
		{"filter", c.Filter != "", ranked || l == ListSimilar},
		{"boost", len(c.Boost) > 0, ranked || l == ListSimilar},
		{"diversity", c.Diversity != nil, ranked},
		{"min_share", len(c.MinShare) > 0, ranked},
	} {
		if m.given && !m.fits {
			return m.name + " does not apply to the list " + string(l)
		}
	}
	return ""
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

// placementsFormat is the number of the form in which placements are kept; a reader refuses a later one.
const placementsFormat = 1

// keptPlacements is the form in which placements are kept.
type keptPlacements struct {
	Format     int                  `json:"format"`
	Placements map[string]Placement `json:"placements"`
}

// EncodePlacements is the form in which placements are kept: JSON, which ReadPlacements reads.
func EncodePlacements(byName map[string]Placement) []byte {
	data, err := json.Marshal(keptPlacements{placementsFormat, byName})
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
