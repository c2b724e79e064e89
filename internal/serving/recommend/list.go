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
	// Visitor is an event of who asks, by whose arm a placement answers; nil, or nobody's: it is not known.
	Visitor *activity.Event
	Limit   int       // at least 1
	Exclude []string  // products to leave out
	At      time.Time // when it is asked
	Rules   *Rules    // nil: none
	// Given are the products themselves, each once, with scores, in place of those of a list that the store has.
	Given      []Listed
	GivenWhole bool // also those of Given that cannot be bought
}

// subject is what the list is about: two queries with the same one have the same list.
func (q *ListQuery) subject() string {
	return fmt.Sprintf("%q", []string{string(q.List), q.Product, q.Customer, q.Session})
}

// Listed is a product of a list. Score says what the list is ordered by, most first. A list in the order of a time has
// 1 for the first of all its products, 1/2 for the second one, and so on: so that boosts can move them.
type Listed struct {
	Code   string
	Score  float32
	Marks  []bool   // as Rules.Marks
	Labels []string // as Rules.By
}

// byTime says whether the scores of a list only say its order.
func byTime(list activity.Source) bool {
	return list == activity.SourceNew || list == activity.SourceViewed
}

// List answers with a list, as a control wants it. Without a limit they are 10. A list may be shorter, and empty.
// Errors: ErrUnknownProduct where the list is of a product that the live model does not know; *QueryError; ErrNoFacts.
func (r *Recommender) List(ctx context.Context, q ListQuery, c *activity.Control) (a Answer, err error) {
	if text.Check(q.Product, text.NoLimit) != nil { // a store cannot hold it, and fails when asked
		return a, ErrUnknownProduct
	}
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return a, err
	}
	asked, arm, err := r.listOf(ctx, traffic, q.Visitor, c, listNamed(q.List))
	if err != nil {
		return a, err
	}
	asked.subject, q.At = q.subject(), r.now()
	st := strip{asked: asked}
	if st.page, err = pageOf(&asked, traffic.Live.Version); err != nil {
		return a, err
	}
	searches := st.searches(Search{Exclude: asked.Exclude, At: q.At}, 0)
	a = Answer{ModelVersion: traffic.Live.Version, Source: q.List, Stale: traffic.Stale, Query: asked.id,
		Placement: asked.Placement, Fields: asked.fields, Experiment: traffic.Experiment.nameIn(arm), Arm: arm}
	found := make([][]Candidate, len(searches))
	switch {
	case q.List == activity.SourcePopularity:
		found, _, err = r.store.Retrieve(ctx, traffic.Live, searches, nil)
	case traffic.Stale: // nobody knows
	default:
		found, err = r.listed(ctx, traffic, q, searches)
	}
	if err == nil && asked.byLikeness() {
		err = r.addVectors(ctx, traffic.Live, found...)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("list %s: %w", q.List, err)
	}
	st.list(&a, found, nil)
	return a, nil
}

// list turns what the searches for a list found into an answer. taken as in arrange.
func (st *strip) list(a *Answer, found [][]Candidate, taken map[string]bool) {
	p := st.cut(found, taken)
	a.Items = popular(p.shown)
	if st.asked.Placement != "" {
		p.note(a.Items, st.page.number*st.asked.Limit)
	}
	for i := range a.Items {
		if byTime(a.Source) {
			a.Items[i].Score = 0
		}
	}
	if next, some := st.page.next(st.asked.Limit, 0); p.more && some && st.asked.id != "" {
		a.Cursor = next.cursor(&st.asked, a.ModelVersion)
	}
}

// listed finds the products of a list for each of some searches.
func (r *Recommender) listed(ctx context.Context, traffic Traffic, q ListQuery,
	searches []Search) ([][]Candidate, error) {
	if q.List == activity.SourceViewed {
		given, err := r.viewed(ctx, traffic, q)
		if len(given) == 0 {
			return make([][]Candidate, len(searches)), err
		}
		q.Given = given
	}
	found, numbers := make([][]Candidate, len(searches)), map[string]int32{}
	for i, search := range searches {
		q.Limit, q.Exclude, q.Rules = search.Limit, search.Exclude, search.Rules
		list, err := r.store.List(ctx, traffic.Live, q)
		if err != nil {
			return nil, err
		}
		found[i] = numbered(list, numbers)
	}
	return found, nil
}

// addVectors adds the vectors by which a diverse answer compares the products of lists.
func (r *Recommender) addVectors(ctx context.Context, m *Model, found ...[]Candidate) error {
	var codes []string
	for _, list := range found {
		for _, c := range list {
			codes = append(codes, c.Code)
		}
	}
	if len(codes) == 0 {
		return nil
	}
	slices.Sort(codes)
	known, err := r.store.Lookup(ctx, m, slices.Compact(codes), nil, nil, activity.Order{})
	if err != nil {
		return err
	}
	for _, list := range found {
		for i := range list {
			list[i].Vector = known.Items[list[i].Code].Vector
		}
	}
	return nil
}

// cut chooses the products of the strip's page from what its searches found.
func (st *strip) cut(found [][]Candidate, taken map[string]bool) picked {
	all := arrange(&st.asked, found[0], found[1:], taken)
	for range st.page.number {
		all.page(st.asked.Limit)
	}
	return picked{shown: all.page(st.asked.Limit), more: all.left > 0, pool: all.pool}
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
	seen := map[string]bool{}
	for _, code := range found.Said[q.Customer].Hidden {
		seen[code] = true
	}
	for _, v := range slices.Backward(counting(visits, activity.Order{}, q.At)) {
		for _, c := range slices.Backward(v.Clicks) {
			if c.Kind != activity.ClickRemove && !seen[c.Product] {
				seen[c.Product] = true
				all = append(all, Listed{Code: c.Product, Score: 1 / float32(len(all)+1)})
			}
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
// that have a vector. It leaves nothing out but what the event's control does, and each product but once. Without a
// limit, all are on one page. Errors: *QueryError, ErrNoFacts.
func (r *Recommender) Rerank(ctx context.Context, e *activity.Event, codes []string) (a Reranked, err error) {
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return a, err
	}
	arms := []Arm{""}
	if traffic.Experiment != nil {
		if arms, err = r.arms(ctx, traffic, []*activity.Event{e}); err != nil {
			return a, err
		}
	}
	model := traffic.of(e, arms[0])
	a.Experiment, a.Arm = traffic.Experiment.nameIn(arms[0]), arms[0]
	if model != traffic.Live && traffic.CanaryFault != nil {
		model = traffic.Live
	}
	folder, err := r.folderOf(model)
	if err != nil {
		return a, fmt.Errorf("prepare model version %s: %w", model.Version, err)
	}
	st, codes, err := r.givenOf(e, codes, model.Version, traffic.Placements)
	if err != nil {
		return a, err
	}
	sessions := []session{newSession(e, e.BrowseHistory)}
	sessions[0].strips = []strip{st}
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
	ranked, unknown := s.rank(codes, asked.Items)
	if ranked, unknown, err = r.ruled(ctx, model, &st.asked, ranked, unknown); err != nil {
		return a, fmt.Errorf("keep the rules of %d products: %w", len(codes), err)
	}
	a.Answer = Answer{ModelVersion: model.Version, Source: s.source, Stale: traffic.Stale, UnknownProducts: s.unknown,
		UnknownCustomer: s.strange, Query: st.asked.id, Experiment: a.Experiment, Arm: a.Arm, Fields: st.asked.fields}
	p := st.cut([][]Candidate{ranked}, nil)
	a.Items, a.Explanations = popular(p.shown), s.explanations(&st, p.shown)
	for i, c := range p.shown {
		if s.query != nil {
			a.Items[i].Because = s.because(c.Vector, c.Item)
		}
	}
	if next, some := st.page.next(st.asked.Limit, 0); p.more && some {
		a.Cursor = next.cursor(&st.asked, model.Version)
	}
	if !p.more {
		a.Unknown = unknown
	}
	return a, nil
}

// givenOf is the strip of products that are given to be ordered, and these products, each once and without those that
// the event's control leaves out. Errors: *QueryError.
func (r *Recommender) givenOf(e *activity.Event, given []string, version string, of *Placements) (st strip,
	codes []string, err error) {
	queries, err := r.questionsOf(e, of)
	if err != nil {
		return st, nil, err
	}
	asked := queries[0]
	if asked.Placement != "" {
		return st, nil, &QueryError{"placement and placements do not apply to a list that is given"}
	}
	if !asked.limited {
		asked.Limit = max(1, len(given))
	}
	done := map[string]bool{}
	for _, code := range asked.Exclude {
		done[code] = true
	}
	for _, code := range given {
		if !done[code] {
			done[code] = true
			codes = append(codes, code)
		}
	}
	asked.subject = fmt.Sprintf("%q", append([]string{asked.subject}, codes...))
	st.asked = asked
	st.page, err = pageOf(&asked, version)
	return st, codes, err
}

// rank orders products by their scores, best first, and parts them from those that are not known.
func (s *session) rank(codes []string, known map[string]Item) (all []Candidate, unknown []string) {
	for _, code := range codes {
		it, ok := known[code]
		switch {
		case !ok:
			unknown = append(unknown, code)
		case s.vector == nil:
			all = append(all, Candidate{Item: it.Number, Code: code, Score: float32(it.Likes), Vector: it.Vector})
		default:
			all = append(all, Candidate{Item: it.Number, Code: code, Score: s.scored(it.Vector, it.Number), Vector: it.Vector})
		}
	}
	slices.SortStableFunc(all, byScoreOnly)
	return all, unknown
}

func byScoreOnly(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) }

// ruled are the products that a query's rules leave, with their scores, marks and labels.
func (r *Recommender) ruled(ctx context.Context, m *Model, asked *Query, ranked []Candidate,
	unknown []string) (left []Candidate, strange []string, err error) {
	rules := asked.rules()
	if rules == nil || len(ranked)+len(unknown) == 0 {
		return ranked, unknown, nil
	}
	q := ListQuery{Limit: MaxLimit, Rules: rules, GivenWhole: true}
	for _, c := range ranked {
		q.Given = append(q.Given, Listed{Code: c.Code, Score: c.Score})
	}
	for _, code := range unknown {
		q.Given = append(q.Given, Listed{Code: code})
	}
	found, err := r.store.List(ctx, m, q)
	if err != nil {
		return nil, nil, err
	}
	of := make(map[string]Listed, len(found))
	for _, it := range found {
		of[it.Code] = it
	}
	for _, c := range ranked {
		if it, matches := of[c.Code]; matches {
			c.Score, c.Marks, c.Labels = it.Score, it.Marks, it.Labels
			left = append(left, c)
		}
	}
	for _, code := range unknown {
		if _, matches := of[code]; matches {
			strange = append(strange, code)
		}
	}
	slices.SortStableFunc(left, byScoreOnly)
	return left, strange, nil
}
