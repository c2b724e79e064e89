// Package shadow plays recorded events through two model versions without showing either to anybody. It owns
// the comparison of the answers and the estimate of what visitors would have done. The events stay where they
// are: nothing is sent, and no state is written.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Top is how many places of an answer are compared.
const Top = 10

// answerer is a recommender of one version. The answers are in the order of the events.
type answerer interface {
	Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error)
}

// Recorded is an event as it was answered.
type Recorded struct {
	Event *activity.Event
	Shown []activity.RecommendedItem // what the visitor saw; nil if only the event is known
}

// Segment is how two versions differ for visitors of one kind.
type Segment struct {
	Source  activity.Source `json:"source"` // of the control's answers; "": all
	Answers int             `json:"answers"`
	Differ  float64         `json:"differ"`  // share of the answers that are not the same list
	Overlap float64         `json:"overlap"` // mean share of the first ten places that hold a product of both
	// Tau is Kendall's rank correlation of the products of both, from -1 to 1: the mean over the Ranked answers
	// with at least two products in common.
	Tau    float64 `json:"tau"`
	Ranked int     `json:"ranked"`
}

// Estimate is what one version would have got of the places that were drawn by chance.
type Estimate struct {
	Slots  int     `json:"slots"`  // places with a known propensity
	Shown  int     `json:"shown"`  // of these, where the version may show the same product
	Viewed int     `json:"viewed"` // of those, where the visitor looked at it later in the session
	IPS    float64 `json:"ips"`    // views for each place: the mean of views over propensity
	SNIPS  float64 `json:"snips"`  // the same, by the sum of the weights (self-normalised)
}

// ErrNoPropensities says that no recorded place was drawn by chance.
var ErrNoPropensities = errors.New("no recorded answer has an explored product with a propensity: what visitors " +
	"would have done cannot be estimated. Let an answer explore (EXPLORE_SHARE) at a placement")

// Result compares a treatment with a control.
type Result struct {
	Skipped   int       `json:"skipped"` // events that one of the versions refuses
	Segments  []Segment `json:"segments"`
	Control   Estimate  `json:"control"`
	Treatment Estimate  `json:"treatment"`
	// NoEstimate says why there is no estimate; empty: there is one.
	NoEstimate string `json:"no_estimate,omitempty"`
}

// sums are a segment's, before they are divided.
type sums struct{ answers, differ, ranked, overlap, tau float64 }

// Compare answers all events by both versions, in batches. An error is of a version that cannot answer at all.
func Compare(ctx context.Context, control, treatment answerer, all []Recorded, batch int) (r Result, err error) {
	segments, viewed := map[activity.Source]*sums{}, views(all)
	for chunk := range slices.Chunk(all, batch) {
		one, two, err := answers(ctx, control, treatment, chunk)
		if err != nil {
			return r, err
		}
		for i := range chunk {
			if one[i] == nil || two[i] == nil {
				r.Skipped++
				continue
			}
			for _, source := range []activity.Source{"", one[i].Source} {
				if segments[source] == nil {
					segments[source] = &sums{}
				}
				segments[source].add(top(one[i]), top(two[i]))
			}
			for _, it := range chunk[i].Shown {
				if it.Propensity > 0 {
					saw := viewed[chunk[i].Event.SessionID][it.ID] > 0
					r.Control.add(one[i], it, saw)
					r.Treatment.add(two[i], it, saw)
				}
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(segments)) {
		s := segments[source]
		r.Segments = append(r.Segments, Segment{source, int(s.answers), s.differ / s.answers, s.overlap / s.answers,
			s.tau / max(s.ranked, 1), int(s.ranked)})
	}
	if r.Control.Slots == 0 {
		r.NoEstimate = ErrNoPropensities.Error()
	}
	r.Control.divide()
	r.Treatment.divide()
	return r, nil
}

// views are the products that each session looked at. A strip never shows what its event has in the history, so
// what it shows and the session has is a look that came later.
func views(all []Recorded) map[string]map[string]int {
	found := map[string]map[string]int{}
	for _, rec := range all {
		if found[rec.Event.SessionID] == nil {
			found[rec.Event.SessionID] = map[string]int{}
		}
		for _, b := range rec.Event.BrowseHistory {
			found[rec.Event.SessionID][string(b.ProductCode)]++
		}
	}
	return found
}

// answers asks both versions. An event that a version refuses has no answer.
func answers(ctx context.Context, control, treatment answerer, chunk []Recorded) (one, two []*recommend.Answer,
	err error) {
	events := make([]*activity.Event, len(chunk))
	for i := range chunk {
		events[i] = chunk[i].Event
	}
	if one, err = ask(ctx, control, events); err != nil {
		return nil, nil, fmt.Errorf("ask the control: %w", err)
	}
	if two, err = ask(ctx, treatment, events); err != nil {
		return nil, nil, fmt.Errorf("ask the treatment: %w", err)
	}
	return one, two, nil
}

func ask(ctx context.Context, version answerer, events []*activity.Event) ([]*recommend.Answer, error) {
	found, err := version.Batch(ctx, events)
	var refused *recommend.RefusedError
	var query *recommend.QueryError
	switch {
	case err == nil:
		all := make([]*recommend.Answer, len(found))
		for i := range found {
			all[i] = &found[i]
		}
		return all, nil
	case !errors.As(err, &refused) && !errors.As(err, &query):
		return nil, err
	case len(events) == 1:
		return []*recommend.Answer{nil}, nil
	}
	half := len(events) / 2
	first, err := ask(ctx, version, events[:half])
	if err != nil {
		return nil, err
	}
	second, err := ask(ctx, version, events[half:])
	return append(first, second...), err
}

func top(a *recommend.Answer) []string {
	var ids []string
	for _, it := range a.Items[:min(len(a.Items), Top)] {
		ids = append(ids, it.ID)
	}
	return ids
}

func (s *sums) add(one, two []string) {
	s.answers++
	if !slices.Equal(one, two) {
		s.differ++
	}
	place := map[string]int{}
	for i, id := range two {
		place[id] = i + 1
	}
	var common []int // places in two, in the order of one
	for _, id := range one {
		if place[id] > 0 {
			common = append(common, place[id])
		}
	}
	if most := max(len(one), len(two)); most > 0 {
		s.overlap += float64(len(common)) / float64(most)
	} else {
		s.overlap++ // both are empty
	}
	if len(common) < 2 {
		return
	}
	agree := 0
	for i, a := range common {
		for _, b := range common[i+1:] {
			if a < b {
				agree++
			} else {
				agree--
			}
		}
	}
	s.ranked++
	s.tau += float64(agree) / float64(len(common)*(len(common)-1)/2)
}

// add adds a place that was drawn with a known propensity. The weight is how much likelier, or less likely, the
// version is to show the product than what was asked then.
func (e *Estimate) add(a *recommend.Answer, shown activity.RecommendedItem, viewed bool) {
	e.Slots++
	i := slices.IndexFunc(a.Items, func(it activity.RecommendedItem) bool { return it.ID == shown.ID })
	if i < 0 {
		return
	}
	e.Shown++
	weight := 1 / shown.Propensity
	if now := a.Items[i].Propensity; now > 0 {
		weight *= now
	}
	e.SNIPS += weight
	if viewed {
		e.Viewed++
		e.IPS += weight
	}
}

// divide makes the sums of IPS and of the weights, which SNIPS holds until then, the two estimates.
func (e *Estimate) divide() {
	weights := e.SNIPS
	if e.SNIPS = 0; weights > 0 {
		e.SNIPS = e.IPS / weights
	}
	e.IPS /= float64(max(e.Slots, 1))
}
