package recommend

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"kindred/internal/platform/text"
	"kindred/internal/stream/activity"
)

// ListQuery asks for a list of products that can be bought.
type ListQuery struct {
	List    activity.Source
	Product string // of SourceTogether: what is bought together with it
	// Of SourceViewed: whose clicks count; the other one is empty.
	Customer, Session string
	Limit             int       // at least 1
	Exclude           []string  // products to leave out
	At                time.Time // when it is asked
}

// Listed is a product of a list. Score says what the list is ordered by, most first; 0: a time.
type Listed struct {
	Code  string
	Score float32
}

// List answers with a list, as a control wants it. Without a limit they are 10. A list may be shorter, and empty.
// Errors: ErrUnknownProduct where the list is of a product that the live model does not know.
func (r *Recommender) List(ctx context.Context, q ListQuery, c *activity.Control) (a Answer, err error) {
	if text.Check(q.Product, text.NoLimit) != nil { // a store cannot hold it, and fails when asked
		return a, ErrUnknownProduct
	}
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return a, err
	}
	asked, err := r.listOf(c, traffic.Placements, listNamed(q.List))
	if err != nil {
		return a, err
	}
	q.Limit, q.Exclude, q.At = asked.Limit, asked.Exclude, r.now()
	a = Answer{ModelVersion: traffic.Live.Version, Source: q.List, Stale: traffic.Stale, Query: asked.id,
		Placement: asked.Placement, Fields: asked.fields}
	var found []Listed
	switch {
	case q.List == activity.SourcePopularity:
		found, err = r.popular(ctx, traffic.Live, q)
	case traffic.Stale: // nobody knows
	case q.List == activity.SourceViewed:
		found, err = r.viewed(ctx, traffic, q)
	default:
		found, err = r.store.List(ctx, traffic.Live, q)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("list %s: %w", q.List, err)
	}
	a.Items = make([]activity.RecommendedItem, len(found))
	for i, f := range found {
		a.Items[i] = activity.RecommendedItem{ID: f.Code, Score: f.Score}
	}
	return a, nil
}

func (r *Recommender) popular(ctx context.Context, m *Model, q ListQuery) (all []Listed, err error) {
	found, _, err := r.store.Retrieve(ctx, m, []Search{{Exclude: q.Exclude, Limit: q.Limit, At: q.At}}, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range found[0] {
		all = append(all, Listed{c.Code, c.Score})
	}
	return all, nil
}

// viewed are the products of what is kept of a customer or a session, the newest click first.
func (r *Recommender) viewed(ctx context.Context, traffic Traffic, q ListQuery) (all []Listed, err error) {
	var customers, sessions []string
	if q.Customer != "" {
		customers = []string{q.Customer}
	} else {
		sessions = []string{q.Session}
	}
	found, err := r.store.Lookup(ctx, traffic.Live, nil, customers, sessions, activity.Order{})
	if err != nil {
		return nil, err
	}
	visits := slices.Concat(found.Kept.Customers[q.Customer], found.Kept.Sessions[q.Session])
	var codes []string
	for _, v := range slices.Backward(counting(visits, activity.Order{}, q.At)) {
		for _, c := range slices.Backward(v.Clicks) {
			code := c.Product
			if c.Kind != activity.ClickRemove && !slices.Contains(codes, code) && !slices.Contains(q.Exclude, code) &&
				!slices.Contains(found.Said[q.Customer].Hidden, code) {
				codes = append(codes, code)
			}
		}
	}
	known, err := r.facts(ctx, traffic, codes)
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		if known[code].Available() && len(all) < q.Limit {
			all = append(all, Listed{Code: code})
		}
	}
	return all, nil
}

// Reranked are products in another order.
type Reranked struct {
	Answer           // Items are the products that are known, best first
	Unknown []string // products without a score, in the order in which they were given
}

// Rerank orders products by their scores for an event: those that the version of the event's session knows, or
// that have a vector. It leaves nothing out but what the event's control excludes, and each product but once.
func (r *Recommender) Rerank(ctx context.Context, e *activity.Event, codes []string) (a Reranked, err error) {
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return a, err
	}
	model := traffic.Of(e)
	if traffic.Experiment != nil {
		arms, err := r.arms(ctx, traffic, []*activity.Event{e})
		if err != nil {
			return a, err
		}
		model, a.Experiment, a.Arm = traffic.ofArm(arms[0]), traffic.Experiment.Name, arms[0]
	}
	if model != traffic.Live && traffic.CanaryFault != nil {
		model = traffic.Live
	}
	folder, err := r.folderOf(model)
	if err != nil {
		return a, fmt.Errorf("prepare model version %s: %w", model.Version, err)
	}
	sessions := []session{newSession(e, e.BrowseHistory)}
	if sessions[0].strips, err = r.stripsOf(e, model.Version, traffic.Placements); err != nil {
		return a, err
	}
	if sessions[0].strips[0].asked.Placement != "" {
		return a, &QueryError{"placement and placements do not apply to a list that is given"}
	}
	if sessions[0].strips[0].asked.rules() != nil {
		return a, &QueryError{"filter, boost, diversity and min_share do not apply to a list that is given"}
	}
	found, err := r.lookUp(ctx, model, sessions, r.now())
	if err != nil {
		return a, err
	}
	s := &sessions[0]
	if err := s.resolve(model, folder, found, &r.sums); err != nil {
		return a, fmt.Errorf("fold session: %w", err)
	}
	asked, err := r.store.Lookup(ctx, model, codes, nil, nil, activity.Order{})
	if err != nil {
		return a, fmt.Errorf("look up %d products: %w", len(codes), err)
	}
	a.Answer = Answer{ModelVersion: model.Version, Source: s.source, Stale: traffic.Stale, UnknownProducts: s.unknown,
		UnknownCustomer: s.strange, Query: s.strips[0].asked.id, Experiment: a.Experiment, Arm: a.Arm,
		Fields: s.strips[0].asked.fields}
	a.Unknown = s.rank(&a.Answer, codes, asked.Items)
	return a, nil
}

// rank fills an answer with products, best first, and returns those that are not known.
func (s *session) rank(a *Answer, codes []string, known map[string]Item) (unknown []string) {
	var all []Candidate
	done := map[string]bool{}
	for _, code := range s.strips[0].asked.Exclude {
		done[code] = true
	}
	for _, code := range codes {
		it, ok := known[code]
		switch {
		case done[code]:
		case !ok:
			unknown = append(unknown, code)
		case s.vector == nil:
			all = append(all, Candidate{Item: it.Number, Code: code, Score: float32(it.Likes), Vector: it.Vector})
		default:
			all = append(all, Candidate{Item: it.Number, Code: code, Score: s.scored(it.Vector, it.Number), Vector: it.Vector})
		}
		done[code] = true
	}
	slices.SortStableFunc(all, func(x, y Candidate) int { return cmp.Compare(y.Score, x.Score) })
	a.Items, a.Explanations = popular(all), s.explanations(&s.strips[0], all)
	for i, c := range all {
		if s.query != nil {
			a.Items[i].Because = s.because(c.Vector, c.Item)
		}
	}
	return unknown
}
