package activity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a control.
const (
	// MaxAnswer is how many products one answer may be asked for.
	MaxAnswer = 100
	// MaxExcluded is how many products a control may leave out.
	MaxExcluded = 500
	// MaxControlledBytes bounds an event with a control: its answer may be long, and both must fit into one
	// Firehose record.
	MaxControlledBytes = 512 << 10
	// LeastFactor and MostFactor bound a boost, and what all boosts of a product make together.
	LeastFactor  = 0.1
	MostFactor   = 10
	maxCursor    = 100
	mostOfALabel = 1000 // of an answer: more than any has
	maxRules     = 16
	// MaxPlacements is how many placements one question may ask for.
	MaxPlacements    = 8
	maxPlacementName = 40
)

// Control is how a question wants to be answered: the member kindred of an activity event, or the query
// parameters of a request. The zero value asks for nothing special. Filter and Where are expressions of
// package rule; whoever answers reads them.
type Control struct {
	Limit     *int       `json:"limit,omitempty"`   // how many products; nil: as many as without a control
	Cursor    string     `json:"cursor,omitempty"`  // of an answer: what comes after it
	Exclude   []ID       `json:"exclude,omitempty"` // products to leave out
	Filter    string     `json:"filter,omitempty"`  // only products that match; "": all
	Boost     []Boost    `json:"boost,omitempty"`
	Diversity *Diversity `json:"diversity,omitempty"`
	MinShare  []MinShare `json:"min_share,omitempty"`
	// What an answer over HTTP adds to each product: facts of it, FieldReason, and what its score is the sum of.
	Fields  []Field `json:"fields,omitempty"`
	Explain bool    `json:"explain,omitempty"`
	// The name of a placement, whose rules are the defaults of this control; or those of several strips of one
	// page, each of which is answered, without a product twice.
	Placement  string   `json:"placement,omitempty"`
	Placements []string `json:"placements,omitempty"`
}

// Asked are the placements that a control asks for; it may be nil.
func (c *Control) Asked() []string {
	switch {
	case c == nil:
		return nil
	case c.Placement != "":
		return []string{c.Placement}
	}
	return c.Placements
}

// PlacementProblem says what is wrong with the name of a placement, or "". The sentence lacks its subject.
func PlacementProblem(name string) string {
	if name == "" || len(name) > maxPlacementName ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Sprintf("must have 1 to %d lower-case letters, digits and hyphens", maxPlacementName)
	}
	return ""
}

// Expression is an expression of a control.
type Expression struct {
	Place string // in the control, such as boost[0].where
	Text  string
}

// Expressions are those of a control.
func (c *Control) Expressions() (all []Expression) {
	if c.Filter != "" {
		all = append(all, Expression{"filter", c.Filter})
	}
	for i, b := range c.Boost {
		all = append(all, Expression{fmt.Sprintf("boost[%d].where", i), b.Where})
	}
	for i, m := range c.MinShare {
		all = append(all, Expression{fmt.Sprintf("min_share[%d].where", i), m.Where})
	}
	return all
}

// placementsProblem is Problem for the placements.
func (c *Control) placementsProblem() string {
	if c.Placement != "" {
		if problem := PlacementProblem(c.Placement); problem != "" {
			return "placement " + problem
		}
	}
	switch {
	case c.Placement != "" && len(c.Placements) > 0:
		return "placement is there, and placements too: one of them must be left out"
	case c.Placements != nil && len(c.Placements) == 0 || len(c.Placements) > MaxPlacements:
		return fmt.Sprintf("placements must have 1 to %d names", MaxPlacements)
	case len(c.Placements) > 0 && c.Cursor != "":
		return "cursor is for one placement"
	}
	for i, name := range c.Placements {
		if problem := PlacementProblem(name); problem != "" {
			return fmt.Sprintf("placements[%d] %s", i, problem)
		}
		if slices.Contains(c.Placements[:i], name) {
			return fmt.Sprintf("placements[%d] is there twice", i)
		}
	}
	return ""
}

// Boost multiplies the scores of products that match. Several boosts of a product multiply each other.
type Boost struct {
	Where  string  `json:"where"`
	Factor float64 `json:"factor"` // LeastFactor to MostFactor
}

// Diversity keeps the products of an answer from being too much alike: by labels, or by maximal marginal
// relevance.
type Diversity struct {
	By     string   `json:"by,omitempty"`      // category or brand
	AtMost int      `json:"at_most,omitempty"` // products of one label
	MMR    *float64 `json:"mmr,omitempty"`     // the weight of the score, 0 to 1, that of the likeness is 1 - mmr
}

// MinShare is how much of an answer matches at least, as far as there are such products.
type MinShare struct {
	Where string  `json:"where"`
	Share float64 `json:"share"` // above 0, up to 1
}

// FieldReason asks for the reason why a product is in an answer.
const FieldReason Field = "reason"

// ShownFields are what a control's Fields may name.
func ShownFields() []Field {
	return []Field{FieldName, FieldBrand, FieldCurrency, FieldURL, FieldImage, FieldCategories, FieldPrice, FieldStock,
		FieldAvailable, FieldAttributes, FieldFirstSeen, FieldReason}
}

// Problem names the first broken rule of a control, or "". It begins with the name of a member.
func (c *Control) Problem() string {
	switch {
	case c.Limit != nil && (*c.Limit < 1 || *c.Limit > MaxAnswer):
		return fmt.Sprintf("limit must be a number from 1 to %d", MaxAnswer)
	case len(c.Cursor) > maxCursor:
		return "cursor is none that an answer has given"
	case len(c.Exclude) > MaxExcluded:
		return fmt.Sprintf("exclude has %d products, the limit is %d", len(c.Exclude), MaxExcluded)
	case len(c.Boost) > maxRules:
		return fmt.Sprintf("boost has %d entries, the limit is %d", len(c.Boost), maxRules)
	case len(c.MinShare) > maxRules:
		return fmt.Sprintf("min_share has %d entries, the limit is %d", len(c.MinShare), maxRules)
	}
	for i, f := range c.Fields {
		switch {
		case !slices.Contains(ShownFields(), f):
			return fmt.Sprintf("fields[%d] is none of %v", i, ShownFields())
		case slices.Contains(c.Fields[:i], f):
			return fmt.Sprintf("fields[%d] is there twice", i)
		}
	}
	for i, id := range c.Exclude {
		if problem := id.problem(); problem != "" {
			return fmt.Sprintf("exclude[%d] %s", i, problem)
		}
	}
	for i, b := range c.Boost {
		switch {
		case b.Where == "":
			return fmt.Sprintf("boost[%d].where is missing or empty", i)
		case !(b.Factor >= LeastFactor && b.Factor <= MostFactor):
			return fmt.Sprintf("boost[%d].factor must be a number from %v to %v", i, LeastFactor, MostFactor)
		}
	}
	sum := 0.0
	for i, m := range c.MinShare {
		switch sum += m.Share; {
		case m.Where == "":
			return fmt.Sprintf("min_share[%d].where is missing or empty", i)
		case !(m.Share > 0 && m.Share <= 1):
			return fmt.Sprintf("min_share[%d].share must be a number above 0, up to 1", i)
		}
	}
	if sum > 1+1e-9 {
		return "min_share asks for more than the whole answer: the sum of its shares must be at most 1"
	}
	if c.Diversity != nil {
		if problem := c.Diversity.problem(); problem != "" {
			return problem
		}
	}
	return c.placementsProblem()
}

func (d *Diversity) problem() string {
	byLabel := d.By != "" || d.AtMost != 0
	switch {
	case byLabel == (d.MMR != nil):
		return "diversity must have by and at_most, or mmr"
	case byLabel && d.By != "category" && d.By != "brand":
		return "diversity.by must be category or brand"
	case byLabel && (d.AtMost < 1 || d.AtMost > mostOfALabel):
		return fmt.Sprintf("diversity.at_most must be a number from 1 to %d", mostOfALabel)
	case !byLabel && !(*d.MMR >= 0 && *d.MMR <= 1):
		return "diversity.mmr must be a number from 0 to 1"
	}
	return ""
}

// control reads the member kindred of an event of so many bytes. problem is the first broken rule.
func (e *Event) control(size int) (problem string) {
	raw := e.Kindred
	if len(raw) == 0 || raw.Kind() == 'n' {
		return ""
	}
	var c Control
	if err := json.Unmarshal(raw, &c, json.RejectUnknownMembers(true)); err != nil {
		return controlProblem(raw, err)
	}
	if problem := c.Problem(); problem != "" {
		return "kindred." + problem
	}
	if size > MaxControlledBytes {
		return fmt.Sprintf("the event has the member kindred and %d bytes, the limit is %d", size, MaxControlledBytes)
	}
	e.Control = &c
	return ""
}

// controlProblem makes a sentence of an error of decoding a control. It repeats no value.
func controlProblem(raw jsontext.Value, err error) string {
	var own *Fault
	var wrong *json.SemanticError
	switch {
	case errors.As(err, &own):
		return "kindred." + own.Message
	case !errors.As(err, &wrong):
		return "kindred is not an object of the members that docs/formats.md lists"
	}
	place := "kindred" + strings.ReplaceAll(string(wrong.JSONPointer), "/", ".")
	if errors.Is(err, json.ErrUnknownName) {
		return place + " is no member that kindred knows"
	}
	found := wrong.JSONKind
	if found == 0 {
		found = raw.Kind()
	}
	return place + " is " + kind(found) + ", which does not fit"
}
