package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// pinned is a store that a look leaves as it is, and in which one version answers everybody.
type pinned struct {
	onlooker
	version string
}

// Traffic is the version alone.
func (p pinned) Traffic(ctx context.Context) (recommend.Traffic, error) {
	return p.Pinned(ctx, p.version)
}

// wishes are what somebody tries on an answer: a placement, a filter and a boost, as the form has them.
type wishes struct {
	Placement     string
	Filter        string
	Where, Factor string // the boost
}

func wishesOf(q url.Values) wishes {
	of := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	return wishes{Placement: of("placement"), Filter: of("filter"), Where: of("where"), Factor: of("factor")}
}

// Any says whether anything is tried.
func (w wishes) Any() bool { return w.Placement+w.Filter+w.Where != "" }

// control is what serving is asked for. Errors: *recommend.QueryError.
func (w wishes) control() (*activity.Control, error) {
	c := &activity.Control{Explain: true, Placement: w.Placement, Filter: w.Filter}
	if w.Where != "" {
		factor, err := strconv.ParseFloat(w.Factor, 64)
		if err != nil {
			return nil, &recommend.QueryError{Message: "the factor of the boost is no number"}
		}
		c.Boost = []activity.Boost{{Where: w.Where, Factor: factor}}
	}
	if problem := c.Problem(); problem != "" {
		return nil, &recommend.QueryError{Message: problem}
	}
	return c, nil
}

// hiding is the control whose filters are those of the placement and of the wishes, and which has nothing else.
func (w wishes) hiding(p recommend.Placement) *activity.Control {
	c := &activity.Control{Filter: w.Filter}
	switch {
	case p.Filter != "" && w.Filter != "":
		c.Filter = "(" + p.Filter + ") && (" + w.Filter + ")"
	case p.Filter != "":
		c.Filter = p.Filter
	}
	return c
}

// tried is what the wishes make of an answer.
type tried struct {
	wishes
	Names    []string // of the placements
	Rules    string   // of the placement, as JSON
	Examples []wishes
	Problem  string // why there is no answer
	Answer   *shownAnswer
	Gone     []offer // of the answer without wishes: what this one does not have
}

// moved notes at each offer its place in another answer, and returns what only the other one has.
func moved(now, before []offer) (gone []offer) {
	places := make(map[string]int, len(before))
	for _, o := range before {
		places[o.ID] = o.Place
	}
	for i := range now {
		now[i].Before = places[now[i].ID]
		delete(places, now[i].ID)
	}
	for _, o := range before {
		if places[o.ID] > 0 {
			gone = append(gone, o)
		}
	}
	return gone
}

// try answers a customer again with the wishes, beside the answer without them. It needs plain, the latter.
func (s *server) try(ctx context.Context, customer activity.ID, w wishes, plain shownAnswer) (t tried, err error) {
	t.wishes, t.Examples = w, examples(plain)
	traffic, err := s.from.recommender.Traffic(ctx)
	if err != nil {
		return t, err
	}
	t.Names = traffic.Placements.Names()
	if !w.Any() {
		return t, nil
	}
	control, err := w.control()
	if err == nil {
		var answer shownAnswer
		answer, err = s.answer(ctx, s.from.recommender, &activity.Event{CustomerID: &customer, Control: control})
		t.Answer = &answer
	}
	var query *recommend.QueryError
	if errors.As(err, &query) {
		t.Answer, t.Problem = nil, said(query)
		return t, nil
	}
	if err != nil {
		return t, err
	}
	placement, known := traffic.Placements.Of(w.Placement)
	if rules, err := json.MarshalIndent(placement, "", "  "); err == nil && known {
		t.Rules = string(rules)
	}
	t.Gone = moved(t.Answer.Offers, plain.Offers)
	return t, s.reasons(ctx, customer, w.hiding(placement), t.Gone)
}

// reasons says of products that an answer no longer has whether the filters hide them.
func (s *server) reasons(ctx context.Context, customer activity.ID, hiding *activity.Control, gone []offer) error {
	if len(gone) == 0 {
		return nil
	}
	ids := make([]string, len(gone))
	for i, o := range gone {
		ids[i] = o.ID
	}
	left, err := s.from.recommender.Rerank(ctx, &activity.Event{CustomerID: &customer, Control: hiding}, ids)
	if err != nil {
		return err
	}
	for i := range gone {
		gone[i].Hidden = !slices.Contains(left.Unknown, gone[i].ID) &&
			!slices.ContainsFunc(left.Items, func(it activity.RecommendedItem) bool { return it.ID == gone[i].ID })
	}
	return nil
}

// examples are wishes that do something to an answer: they name a category of one of its products.
func examples(plain shownAnswer) []wishes {
	for _, o := range plain.Offers {
		if len(o.Categories) > 0 {
			in := strconv.Quote(o.Categories[0]) + " in product.categories"
			return []wishes{{Filter: in}, {Filter: "!(" + in + ")"}, {Where: in, Factor: "2"}}
		}
	}
	return nil
}

// Says is what the wishes say, in a line.
func (w wishes) Says() string {
	var parts []string
	if w.Placement != "" {
		parts = append(parts, "placement "+w.Placement)
	}
	if w.Filter != "" {
		parts = append(parts, "only "+w.Filter)
	}
	if w.Where != "" {
		parts = append(parts, w.Where+" × "+w.Factor)
	}
	return strings.Join(parts, ", ")
}

// Link leads to a customer's page with the wishes.
func (w wishes) Link(customer string) string {
	q := url.Values{"id": {customer}}
	for name, value := range map[string]string{"placement": w.Placement, "filter": w.Filter, "where": w.Where,
		"factor": w.Factor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/customer?" + q.Encode() + "#try"
}
