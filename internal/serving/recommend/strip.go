package recommend

import (
	"cmp"
	"slices"
	"time"

	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// strip is one list of products of an answer.
type strip struct {
	asked Query
	page  page // which it asks for
	first int  // of its searches, among all of the batch
}

// Check says what is wrong with the control of an event, whatever version answers it. It asks nobody: so the
// stream checks an event before it writes what the event says. Errors: *QueryError.
func (r *Recommender) Check(e *activity.Event) error {
	_, err := r.questionOf(e)
	return err
}

// questionOf reads the control of an event. Errors: *QueryError.
func (r *Recommender) questionOf(e *activity.Event) (Query, error) {
	q, err := r.queryOf(e.Control)
	session, customer := visitors(e)
	q.subject = cmp.Or(customer, session)
	if err == nil && q.Cursor != "" && e.Place != (activity.Order{}) {
		err = &QueryError{"kindred.cursor is for questions over HTTP: the stream answers an event once"}
	}
	return q, err
}

// stripsOf reads what the control of an event asks for, of a version. Errors: *QueryError.
func (r *Recommender) stripsOf(e *activity.Event, version string) ([]strip, error) {
	q, err := r.questionOf(e)
	if err != nil {
		return nil, err
	}
	st := strip{asked: q}
	st.page, err = pageOf(&q, version)
	return []strip{st}, err
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

// left are the products that no answer shows: what the session has seen, what the customer hides, and what the
// query leaves out.
func (s *session) left(q *Query) []string {
	if len(s.hidden)+len(q.Exclude) == 0 {
		return s.seen
	}
	return slices.Concat(s.seen, s.hidden, q.Exclude)
}

// count is how many searches the strip has.
func (st *strip) count() int { return 1 + len(st.asked.MinShare) }

// answer turns what the searches of a batch found into the answer of a session.
func (s *session) answer(version string, share float64, found [][]Candidate) Answer {
	var answer Answer
	for n := range s.strips {
		st := &s.strips[n]
		a := Answer{Source: s.source, ModelVersion: version, UnknownProducts: s.unknown, UnknownCustomer: s.strange,
			Query: st.asked.id}
		var taken map[string]bool
		if n > 0 {
			taken = answer.shown()
		}
		s.fill(&a, st, share, found[st.first:st.first+st.count()], taken)
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
	shown, fresh, more := s.pick(st, share, found, taken)
	a.Items, a.Explanations = popular(shown), s.explanations(st, shown)
	if s.query != nil {
		for i, c := range shown {
			a.Items[i].Because = s.because(c.Vector, c.Item)
		}
	}
	if !more || st.asked.id == "" {
		return
	}
	if next, some := st.page.next(st.asked.Limit, fresh); some {
		a.Cursor = next.cursor(&st.asked, a.ModelVersion)
	}
}

// pick takes the page's products from those that were found, and says how many of them are new, and whether
// there are products behind them.
func (s *session) pick(st *strip, share float64, found [][]Candidate, taken map[string]bool) (shown []Candidate,
	novel int, more bool) {
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
		shown = all.page(limit)
		return shown, 0, all.left > 0
	}
	fresh = slices.DeleteFunc(s.drawn(fresh), func(c Candidate) bool { return taken[c.Code] })
	for n := explored(share, limit, min(all.left, limit), len(fresh)); ; n-- {
		trial := all.clone()
		shown = trial.page(limit - n)
		if chosen := st.asked.fitting(fresh, shown, n); len(chosen) == n {
			shown = slices.Concat(shown, chosen)
			if all.relevance == nil {
				slices.SortStableFunc(shown, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
			}
			return shown, n, trial.left > 0
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
