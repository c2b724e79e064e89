package recommend

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kindred/internal/platform/parallel"
	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// strip is one list of products of an answer.
type strip struct {
	asked Query
	page  page     // which it asks for
	first int      // of its searches, or of its question for similar products, among all of the batch
	asks  []Search // of a list that is no search: what is asked of it
}

// Checked are the placements by which events were checked. Its zero value is those that are live when events are
// answered.
type Checked struct {
	asked      bool // an event asked for placements
	placements *Placements
	experiment *Experiment
}

// in is the traffic with the placements that were checked.
func (c Checked) in(t Traffic) Traffic {
	if !c.asked {
		return t
	}
	t.Placements = c.placements
	if t.Experiment.ofPlacements() || c.experiment.ofPlacements() {
		t.Experiment = c.experiment
	}
	return t
}

// Check says what is wrong with the controls of events, whatever version or arm answers them: nil, or a *QueryError,
// for each of them. So the stream checks events before it writes what they say. BatchChecked then answers by the
// placements that were checked, whatever is live by then. It asks for the placements that are live if an event has one,
// and otherwise nobody; the error is of that question.
func (r *Recommender) Check(ctx context.Context, events []*activity.Event) (by Checked, faults []error, err error) {
	var traffic Traffic
	if slices.ContainsFunc(events, func(e *activity.Event) bool { return len(e.Control.Asked()) > 0 }) {
		if traffic, err = r.Traffic(ctx); err != nil {
			return by, nil, err
		}
		by = Checked{true, traffic.Placements, traffic.Experiment}
	}
	faults = make([]error, len(events))
	parallel.Each(len(events), func(i int) {
		if events[i].Control == nil {
			return
		}
		_, faults[i] = r.questionsOf(events[i], traffic.Placements)
		if faults[i] == nil && traffic.Experiment.ofPlacements() {
			_, faults[i] = r.questionsOf(events[i], traffic.placementsOf(ArmTreatment))
		}
	})
	return by, faults, nil
}

// questionsOf reads the control of an event. Errors: *QueryError.
func (r *Recommender) questionsOf(e *activity.Event, of *Placements) ([]Query, error) {
	queries, err := r.queriesOf(e.Control, of)
	if err != nil {
		return nil, err
	}
	session, customer := visitors(e)
	for i := range queries {
		queries[i].subject = cmp.Or(customer, session)
		if err := queries[i].fits(e.Control); err != nil {
			return nil, err
		}
	}
	if queries[0].Cursor != "" && e.Place != (activity.Order{}) {
		return nil, &QueryError{"kindred.cursor is for questions over HTTP: the stream answers an event once"}
	}
	return queries, nil
}

// stripsOf reads what the control of an event asks for, of a version. Errors: *QueryError.
func (r *Recommender) stripsOf(e *activity.Event, version string, of *Placements) ([]strip, error) {
	queries, err := r.questionsOf(e, of)
	if err != nil {
		return nil, err
	}
	strips := make([]strip, len(queries))
	for i := range strips {
		strips[i].asked = queries[i]
		if strips[i].page, err = pageOf(&queries[i], version); err != nil {
			return nil, err
		}
	}
	return strips, nil
}

// searches completes a search with the rules of the strip: the first one is for the best products, and one more
// for each least share. They find the products of the page, those of the pages before, one more, which says
// whether there is a next page, and as many more as the visitor may see elsewhere.
func (st *strip) searches(q Search, elsewhere int) []Search {
	pages := st.page.number + 1
	rules := st.asked.rules()
	if q.Rules = rules; st.asked.id == "" {
		q.Limit = st.asked.Limit
		return []Search{q}
	}
	q.Limit = st.asked.Limit*pages + 1 + elsewhere
	if st.asked.Diversity != nil { // every page is cut from one arrangement of the same products
		q.Limit = max(st.asked.Limit+1, arrangedFrom) + elsewhere
	}
	q.Limit = min(q.Limit, MaxLimit)
	all := []Search{q}
	for _, m := range st.asked.MinShare {
		of := q
		of.New = 0
		of.Rules = &Rules{Filters: slices.Concat(rules.Filters, []*rule.Expr{m.Where}), Boosts: rules.Boosts,
			Marks: rules.Marks, By: rules.By}
		all = append(all, of)
	}
	return all
}

// search asks for the products of a strip of the session. New ones are for first pages: those that came after
// the event do not count, because another attempt at it must not find them.
func (s *session) search(st *strip, at time.Time, share float64) Search {
	if st.asked.List == ListPopular { // the same for everybody
		return Search{At: at, Exclude: st.asked.Exclude}
	}
	exclude := s.left(&st.asked)
	if len(s.bought) > 0 {
		exclude = slices.Concat(exclude, hidden(s.bought, s.event.Place, at))
	}
	q := Search{Vector: s.vector, Added: s.added, Customer: (*string)(s.event.CustomerID), At: at, Exclude: exclude}
	limit := st.asked.Limit
	if st.page.number == 0 && explored(share, limit, limit, 1) > 0 {
		q.New, q.SeenBy = max(exploredFrom, int(share*float64(limit))), s.event.Place.At
	}
	return q
}

// left are the products that are not recommended: those of the session, what the customer hides, and what the query
// leaves out.
func (s *session) left(q *Query) []string {
	if len(s.hidden)+len(q.Exclude) == 0 {
		return s.over
	}
	return slices.Concat(s.over, s.hidden, q.Exclude)
}

// count is how many searches the strip has.
func (st *strip) count() int { return 1 + len(st.asked.MinShare) }

// retrieved is what was found for the sessions of a batch.
type retrieved struct {
	candidates [][]Candidate
	similar    [][]Similar
	lists      map[wanted][]Candidate
	viewed     map[wanted]map[string]Candidate // those of ListViewed, by code
}

// answer turns what was found for a batch into the answer of a session.
func (s *session) answer(version string, share float64, found retrieved) Answer {
	var answer Answer
	for n := range s.strips {
		st := &s.strips[n]
		a := Answer{Source: s.source, ModelVersion: version, UnknownProducts: s.unknown, UnknownCustomer: s.strange,
			Query: st.asked.id, Placement: st.asked.Placement, Fields: st.asked.fields}
		var taken map[string]bool
		if n > 0 {
			taken = answer.shown()
		}
		switch {
		case st.asked.List == ListSimilar:
			a.Source = activity.SourceSimilar
			a.Items = st.asked.listed(s.alikeFor(st, found), taken)
		case !st.asked.List.searched():
			a.Source = lists[st.asked.List]
			st.list(&a, s.listed(st, found), taken)
			if st.asked.List == ListTogether {
				for i := range a.Items {
					a.Items[i].Because = s.about
				}
			}
		case st.asked.List == ListPopular:
			a.Source = activity.SourcePopularity
			anybody := session{event: s.event}
			anybody.fill(&a, st, share, found.candidates[st.first:st.first+st.count()], taken)
		default:
			s.fill(&a, st, share, found.candidates[st.first:st.first+st.count()], taken)
		}
		if n == 0 {
			answer = a
		} else {
			answer.More = append(answer.More, a)
		}
	}
	return answer
}

// fill turns what the searches of a strip found into a list. taken are the products of the strips before.
func (s *session) fill(a *Answer, st *strip, share float64, found [][]Candidate, taken map[string]bool) {
	p := s.pick(st, share, found, taken)
	a.Items, a.Explanations = popular(p.shown), s.explanations(st, p.shown)
	if st.asked.Placement != "" {
		p.note(a.Items, st.page.number*st.asked.Limit)
	}
	if s.query != nil {
		for i, c := range p.shown {
			a.Items[i].Because = s.because(c.Vector, c.Item)
		}
	}
	if !p.more || st.asked.id == "" {
		return
	}
	if next, some := st.page.next(st.asked.Limit, p.novel); some {
		a.Cursor = next.cursor(&st.asked, a.ModelVersion)
	}
}

// picked are the products of a page.
type picked struct {
	shown []Candidate
	novel int         // how many of them are new
	drawn int         // from how many new ones
	more  bool        // there are products behind them
	pool  []Candidate // what they were chosen from, best first
}

// note says of products how they came to their places: the place that the score alone gives a product, where that is
// another one, and how probable a new product was. before is how many products earlier pages have.
func (p *picked) note(items []activity.RecommendedItem, before int) {
	ranks := make(map[int32]int, len(p.pool))
	for i, c := range p.pool {
		ranks[c.Item] = i + 1
	}
	for i, c := range p.shown {
		if c.Item == NoItem {
			items[i].Propensity = float64(p.novel) / float64(p.drawn)
		} else if rank := ranks[c.Item]; rank != before+i+1 {
			items[i].Rank = rank
		}
	}
}

// pick takes the page's products from those that were found.
func (s *session) pick(st *strip, share float64, found [][]Candidate, taken map[string]bool) picked {
	main, fresh := split(found[0])
	all := arrange(&st.asked, main, found[1:], taken)
	limit := st.asked.Limit
	for n := range st.page.number {
		if n == 0 {
			all.page(limit - st.page.explored)
		} else {
			all.page(limit)
		}
	}
	if st.page.number > 0 {
		return picked{shown: all.page(limit), more: all.left > 0, pool: all.pool}
	}
	fresh = slices.DeleteFunc(s.drawn(fresh), func(c Candidate) bool { return taken[c.Code] })
	for n := explored(share, limit, min(all.left, limit), len(fresh)); ; n-- {
		trial := all.clone()
		shown := trial.page(limit - n)
		if chosen := st.asked.fitting(fresh, shown, n); len(chosen) == n {
			shown = slices.Concat(shown, chosen)
			if all.relevance == nil {
				slices.SortStableFunc(shown, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
			}
			return picked{shown, n, len(fresh), trial.left > 0, all.pool}
		}
	}
}

// split parts the products that a version knows from the new ones behind them.
func split(found []Candidate) (known, fresh []Candidate) {
	if i := slices.IndexFunc(found, func(c Candidate) bool { return c.Item == NoItem }); i >= 0 {
		return found[:i], found[i:]
	}
	return found, nil
}
