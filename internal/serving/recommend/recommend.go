package recommend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/model/ials"
	"kindred/internal/platform/parallel"
	"kindred/internal/platform/text"
	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

const (
	recommendedItems = 10 // a page's strip of products
	similarItems     = 5
	// SessionItems bounds how many products of a session are folded: the most recent distinct ones.
	// Older ones say little about what the visitor wants now.
	SessionItems = 50
	// keptFolders is how many solvers are kept: of the live version, of a canary, and one more while
	// either of them changes.
	keptFolders = 3
)

// Recommender answers from one store. It is safe for concurrent use.
type Recommender struct {
	store   store
	now     func() time.Time
	explore float64 // see Exploring
	mu      sync.Mutex
	folders map[string]*ials.Folder // by version, at most keptFolders
	sums    sync.Pool               // of *sums
	exprs   map[string]*rule.Expr   // by text, at most keptRules
	pinned  *Traffic                // answers everything; nil: what the store says
}

// New returns a Recommender. It makes no request.
func New(s store) *Recommender {
	return &Recommender{store: s, now: time.Now, folders: map[string]*ials.Folder{}, exprs: map[string]*rule.Expr{}}
}

// Answer is what is recommended for one event.
type Answer struct {
	Items        []activity.RecommendedItem // best first; empty only when no product of the version is left to recommend
	Similar      *activity.SimilarItems     // to the session's most telling product; nil without a known product
	Source       activity.Source
	ModelVersion string
	// How many of the session's products, of those that were looked up, and whether its customer the
	// model does not know.
	UnknownProducts int
	UnknownCustomer bool
	Query           string // Query.id of the event's control
	Cursor          string // of the next page; "": there is none, or the event has no control
	Stale           bool   // from what was last known of versions, products and customers
	CanaryFailed    bool   // the canary was to answer and could not: this is the live version's answer
	// Of Items, in their order; nil unless the event's control asks for it.
	Explanations []Explanation
	// The experiment that the visitor takes part in, and the arm that the visitor was drawn into: also where
	// another version than the arm's had to answer. Empty: none runs.
	Experiment string
	Arm        Arm
	// The further lists of products that the event asks for: no product is in two of them.
	More []Answer
	// The placement that Items are for, and what is asked to be shown of each product. Empty: none.
	Placement string
	Fields    []activity.Field
}

// each visits the lists of the answer.
func (a *Answer) each(visit func(of *Answer)) {
	for n := range len(a.More) + 1 {
		visit(a.strip(n))
	}
}

// strip is a list of the answer, from 0.
func (a *Answer) strip(n int) *Answer {
	if n == 0 {
		return a
	}
	return &a.More[n-1]
}

// shown are the products of all lists.
func (a *Answer) shown() map[string]bool {
	shown := map[string]bool{}
	for n := range len(a.More) + 1 {
		for _, it := range a.strip(n).Items {
			shown[it.ID] = true
		}
	}
	return shown
}

// Records are the records of all lists of the answer, in their order; see Record.
func (a Answer) Records(raw []byte, e *activity.Event, p activity.Position, now time.Time) []activity.Record {
	all := make([]activity.Record, 0, len(a.More)+1)
	a.each(func(of *Answer) { all = append(all, of.Record(raw, e, p, now)) })
	return all
}

// Record joins the answer's first list with its event: raw are the bytes of the event, and e is what Parse read
// from them.
func (a Answer) Record(raw []byte, e *activity.Event, p activity.Position, now time.Time) activity.Record {
	id := activity.EventID(e, p)
	return activity.Record{
		Event:            raw,
		RecommendedItems: a.Items,
		SimilarItems:     a.Similar,
		Recommendation: activity.Recommendation{
			UnknownProducts: a.UnknownProducts, UnknownCustomer: a.UnknownCustomer, Stale: a.Stale,
			ID: activity.RecommendationID(id, a.Placement), Placement: a.Placement, EventID: id,
			ModelVersion: a.ModelVersion, Source: a.Source,
			Experiment: a.Experiment, Arm: string(a.Arm),
			GeneratedAt: now.UTC(), LatencyMS: float64(now.Sub(p.ArrivedAt).Microseconds()) / 1000, Query: a.Query,
			Cursor: a.Cursor, Position: p,
		},
	}
}

// Batch answers the events in their order. It takes three round trips, however many events there
// are, and more when some customer has rated everything that can be bought. All events of a
// session are answered from one model version: the live version or, for its share of the sessions,
// the canary, which takes its own round trips at the same time. An experiment takes one more to look up
// its visitors' arms, and another one to keep those that are drawn. What the canary cannot answer is
// answered from the live version, and recorded with the store. An error means that no event was
// answered. A later try may help, unless it is a *RefusedError: one of the events can never be answered, and a
// *QueryError is one that says why its control cannot.
//
// An answer leaves out the products that the session has looked at or put into the cart, those that
// the customer has rated or bought, unless the version's rules show them again, those that the customer
// hides, those that the event's control leaves out, and those that cannot be bought: a recommendation
// shows what the visitor has not seen. (A page that wants to remind of viewed products has them in the
// event already.) A version that reads the order of clicks shows again what the session has looked at.
func (r *Recommender) Batch(ctx context.Context, events []*activity.Event) ([]Answer, error) {
	return r.BatchChecked(ctx, Checked{}, events)
}

// BatchChecked is Batch for events that Check found sound: it answers by the same placements.
func (r *Recommender) BatchChecked(ctx context.Context, by Checked, events []*activity.Event) ([]Answer, error) {
	if len(events) == 0 {
		return nil, nil
	}
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return nil, err
	}
	traffic = by.in(traffic)
	arms := make([]Arm, len(events))
	if traffic.Experiment != nil {
		if arms, err = r.arms(ctx, traffic, events); err != nil {
			return nil, err
		}
	}
	answers, err := r.answerAll(ctx, traffic, arms, events)
	for i := range answers {
		if arms[i] != "" {
			answers[i].each(func(of *Answer) { of.Experiment, of.Arm = traffic.Experiment.Name, arms[i] })
		}
	}
	return answers, err
}

// answerAll answers events from the versions of the traffic.
func (r *Recommender) answerAll(ctx context.Context, traffic Traffic, arms []Arm,
	events []*activity.Event) ([]Answer, error) {
	var ofLive, ofCanary []int // indexes in events
	for i, e := range events {
		if traffic.of(e, arms[i]) == traffic.Live {
			ofLive = append(ofLive, i)
		} else {
			ofCanary = append(ofCanary, i)
		}
	}
	answers := make([]Answer, len(events))
	fill := func(ctx context.Context, model *Model, indexes []int) error {
		part, of := make([]*activity.Event, len(indexes)), make([]Arm, len(indexes))
		for n, i := range indexes {
			part[n], of[n] = events[i], arms[i]
		}
		answered, err := r.answer(ctx, traffic, model, of, part)
		for n, a := range answered {
			a.each(func(of *Answer) { of.Stale = traffic.Stale })
			answers[indexes[n]] = a
		}
		return err
	}
	if len(ofCanary) == 0 {
		if err := fill(ctx, traffic.Live, ofLive); err != nil {
			return nil, err
		}
		return answers, nil
	}
	fault := traffic.CanaryFault
	work, workCtx := errgroup.WithContext(ctx)
	if len(ofLive) > 0 {
		work.Go(func() error { return fill(workCtx, traffic.Live, ofLive) })
	}
	work.Go(func() error {
		if fault == nil {
			fault = fill(workCtx, traffic.Canary, ofCanary)
		}
		// No faults of the canary: a cursor of the live version, and rules while the database is down.
		var query *QueryError
		if fault == nil || workCtx.Err() != nil || errors.As(fault, &query) || errors.Is(fault, ErrNoFacts) {
			return fault
		}
		return fill(workCtx, traffic.Live, ofCanary)
	})
	if err := work.Wait(); err != nil {
		return nil, err
	}
	if fault != nil {
		for _, i := range ofCanary {
			answers[i].CanaryFailed = true
		}
		// Without the record, the canary's next failure is recorded; the answers are right either way.
		_ = r.store.CanaryFailed(ctx, traffic.Canary.Version, fault)
	}
	return answers, nil
}

// answer answers events from one model version.
func (r *Recommender) answer(ctx context.Context, traffic Traffic, model *Model, arms []Arm,
	events []*activity.Event) ([]Answer, error) {
	folder, err := r.folderOf(model)
	if err != nil {
		return nil, fmt.Errorf("prepare model version %s: %w", model.Version, err)
	}
	sessions := make([]session, len(events))
	parallel.Each(len(events), func(i int) { sessions[i] = newSession(events[i], events[i].BrowseHistory) })
	for i := range sessions {
		if sessions[i].strips, err = r.stripsOf(events[i], model.Version, traffic.placementsOf(arms[i])); err != nil {
			return nil, err
		}
	}
	now := r.now()
	found, err := r.lookUp(ctx, model, sessions, now)
	if err != nil {
		return nil, err
	}
	faults := make([]error, len(events))
	parallel.Each(len(sessions), func(i int) { faults[i] = sessions[i].resolve(model, folder, found, &r.sums) })
	for i, err := range faults {
		if err != nil {
			return nil, fmt.Errorf("fold session of event %d of %d: %w", i+1, len(events), err)
		}
	}
	var asked questions
	for i := range sessions {
		asked.add(&sessions[i], now, r.explore, found)
	}
	var got retrieved
	got.candidates, got.similar, err = r.store.Retrieve(ctx, model, asked.searches, asked.neighbours)
	if err != nil {
		return nil, fmt.Errorf("retrieve products: %w", err)
	}
	if err := r.addLists(ctx, traffic, model, sessions, now, &got); err != nil {
		return nil, err
	}
	answers := make([]Answer, len(events))
	parallel.Each(len(sessions), func(i int) {
		s := &sessions[i]
		answers[i] = s.answer(model.Version, r.explore, got)
		if s.alike >= 0 {
			answers[i].Similar = s.strips[0].asked.similar(s.telling, similarItems, got.similar[s.alike])
		}
	})
	return answers, r.fillEmpty(ctx, model, sessions, answers)
}

// questions are what sessions ask a store for.
type questions struct {
	searches   []Search
	neighbours []Neighbours
	shared     map[string]int // by product: sessions of a batch often share their telling product
}

// add adds the questions of a session.
func (q *questions) add(s *session, now time.Time, share float64, found Lookup) {
	elsewhere := 0
	s.about = s.newest(found)
	for n := range s.strips {
		st := &s.strips[n]
		switch {
		case st.asked.List.searched():
			st.first = len(q.searches)
			q.searches = append(q.searches, st.searches(s.search(st, now, share), elsewhere)...)
		case st.asked.List != ListSimilar:
			st.asks = st.searches(Search{}, elsewhere)
		case s.about != "":
			st.first = len(q.neighbours)
			q.neighbours = append(q.neighbours, st.asked.near(s.about, st.asked.Limit+elsewhere))
		}
		elsewhere += st.asked.Limit
	}
	first := &s.strips[0].asked
	if s.alike = -1; s.telling == "" || first.Placement != "" { // a placement shows what it says
		return
	}
	at, known := q.shared[s.telling]
	if !known || first.id != "" {
		at = len(q.neighbours)
		q.neighbours = append(q.neighbours, first.near(s.telling, similarItems))
		if q.shared == nil {
			q.shared = map[string]int{}
		}
		if first.id == "" {
			q.shared[s.telling] = at
		}
	}
	s.alike = at
}

// fillEmpty puts the most popular products into answers that have none, even if the customer has
// rated them: better a known product than an empty page. A later page may be empty.
func (r *Recommender) fillEmpty(ctx context.Context, model *Model, sessions []session, answers []Answer) error {
	var searches []Search
	type place struct{ session, strip, first int }
	var empty []place
	for i := range sessions {
		elsewhere := 0
		for n := range sessions[i].strips {
			st := &sessions[i].strips[n]
			recommends := st.asked.List == "" || st.asked.List == ListRecommended
			if recommends && len(answers[i].strip(n).Items) == 0 && st.page.number == 0 {
				empty = append(empty, place{i, n, len(searches)})
				searches = append(searches, st.searches(Search{Exclude: sessions[i].left(&st.asked)}, elsewhere)...)
			}
			elsewhere += st.asked.Limit
		}
	}
	if len(empty) == 0 {
		return nil
	}
	candidates, _, err := r.store.Retrieve(ctx, model, searches, nil)
	if err != nil {
		return fmt.Errorf("retrieve popular products: %w", err)
	}
	for _, at := range empty {
		s := &sessions[at.session]
		st, a := &s.strips[at.strip], answers[at.session].strip(at.strip)
		all := arrange(&st.asked, candidates[at.first], candidates[at.first+1:at.first+st.count()],
			answers[at.session].shown())
		found := all.page(st.asked.Limit)
		a.Items, a.Source = popular(found), activity.SourcePopularity
		s.vector = nil
		a.Explanations = s.explanations(st, found)
	}
	return nil
}

// SimilarAnswer is what is similar to a product.
type SimilarAnswer struct {
	Items        *activity.SimilarItems
	ModelVersion string
	Stale        bool // as in Answer, and so are these:
	Placement    string
	Fields       []activity.Field
	Query        string
	Experiment   string
	Arm          Arm
}

// Similar returns the products nearest to one, as a control of a visitor wants them, and the version that found them.
// Without a limit they are 5. There are no pages: a cursor does not count. visitor as ListQuery.Visitor.
// Errors: ErrUnknownProduct when the live model does not know the product.
func (r *Recommender) Similar(ctx context.Context, code string, visitor *activity.Event,
	c *activity.Control) (a SimilarAnswer, err error) {
	if text.Check(code, text.NoLimit) != nil { // a store cannot hold it, and fails when asked
		return a, ErrUnknownProduct
	}
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return a, err
	}
	asked, arm, err := r.listOf(ctx, traffic, visitor, c, ListSimilar)
	if err != nil {
		return a, err
	}
	limit := similarItems
	if asked.limited {
		limit = asked.Limit
	}
	model := traffic.Live
	found, err := r.store.Lookup(ctx, model, []string{code}, nil, nil, activity.Order{})
	if err != nil {
		return a, fmt.Errorf("look up product: %w", err)
	}
	if _, ok := found.Items[code]; !ok {
		return a, ErrUnknownProduct
	}
	_, similar, err := r.store.Retrieve(ctx, model, nil, []Neighbours{asked.near(code, limit)})
	if err != nil {
		return a, fmt.Errorf("retrieve similar products: %w", err)
	}
	return SimilarAnswer{asked.similar(code, limit, similar[0]), model.Version, traffic.Stale, asked.Placement,
		asked.fields, asked.id, traffic.Experiment.nameIn(arm), arm}, nil
}

// Pin lets the version that is live now answer every further question, without canary and experiment: so that one
// version answers a whole job. It returns the version. Call it before the first question.
func (r *Recommender) Pin(ctx context.Context) (version string, err error) {
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return "", err
	}
	r.pinned = &Traffic{Live: traffic.Live, Placements: traffic.Placements}
	return traffic.Live.Version, nil
}

// Traffic returns the model versions that answer now.
func (r *Recommender) Traffic(ctx context.Context) (Traffic, error) {
	if r.pinned != nil {
		return *r.pinned, nil
	}
	traffic, err := r.store.Traffic(ctx)
	if err != nil {
		return Traffic{}, fmt.Errorf("find live model version: %w", err)
	}
	return traffic, nil
}

// folderOf returns the solver of a version. It makes each one once.
func (r *Recommender) folderOf(m *Model) (*ials.Folder, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if folder := r.folders[m.Version]; folder != nil {
		return folder, nil
	}
	folder, err := ials.NewFolder(m.Solver)
	if err != nil {
		return nil, err
	}
	if len(r.folders) >= keptFolders {
		clear(r.folders)
	}
	r.folders[m.Version] = folder
	return folder, nil
}

// lookUp asks for the products and customers of all sessions, each of them once, and for what is kept of
// their visits: in one question. If something is kept, it changes the sessions, and asks for its products
// in a second one.
func (r *Recommender) lookUp(ctx context.Context, model *Model, sessions []session, now time.Time) (Lookup, error) {
	codes := codesOf(sessions, nil)
	var customers, continued []string
	until := until(sessions)
	seenCustomer, seenSession := map[activity.ID]bool{}, map[string]bool{}
	for i := range sessions {
		e := sessions[i].event
		if id := e.CustomerID; id != nil && !seenCustomer[*id] {
			seenCustomer[*id] = true
			customers = append(customers, string(*id))
		}
		if e.Visit != nil && !seenSession[e.SessionID] {
			seenSession[e.SessionID] = true
			continued = append(continued, e.SessionID)
		}
	}
	if len(codes)+len(customers)+len(continued) == 0 {
		return Lookup{}, nil
	}
	found, err := r.store.Lookup(ctx, model, codes, customers, continued, until)
	if err != nil {
		return Lookup{}, fmt.Errorf("look up %d products and %d customers: %w", len(codes), len(customers), err)
	}
	if len(found.Kept.Sessions)+len(found.Kept.Customers) == 0 {
		return found, nil
	}
	parallel.Each(len(sessions), func(i int) {
		e, strips := sessions[i].event, sessions[i].strips
		sessions[i] = newSession(e, history(e, found.Kept, now))
		sessions[i].strips = strips
	})
	if more := codesOf(sessions, codes); len(more) > 0 {
		kept, err := r.store.Lookup(ctx, model, more, nil, nil, activity.Order{})
		if err != nil {
			return Lookup{}, fmt.Errorf("look up %d products of what is kept: %w", len(more), err)
		}
		maps.Copy(found.Items, kept.Items)
	}
	return found, nil
}

// codesOf are the products of sessions, each once, without those that are known.
func codesOf(sessions []session, known []string) (codes []string) {
	seen := make(map[string]bool, len(known))
	for _, code := range known {
		seen[code] = true
	}
	for i := range sessions {
		for _, b := range sessions[i].browsed {
			if !seen[b.code] {
				seen[b.code] = true
				codes = append(codes, b.code)
			}
		}
	}
	return codes
}

// near asks for so many similar products, and for those that the query leaves out.
func (q *Query) near(code string, limit int) Neighbours {
	n := Neighbours{Code: code, Limit: min(limit+len(q.Exclude), MaxLimit)}
	if len(q.Filters)+len(q.Boosts) > 0 {
		n.Rules = &Rules{Filters: q.Filters, Boosts: q.Boosts}
	}
	return n
}

// similar are the products that near found.
func (q *Query) similar(code string, limit int, found []Similar) *activity.SimilarItems {
	s := &activity.SimilarItems{ProductCode: code, SimilarItems: make([]activity.SimilarItem, 0, limit)}
	for _, f := range found {
		if len(s.SimilarItems) < limit && !slices.Contains(q.Exclude, f.Code) {
			s.SimilarItems = append(s.SimilarItems, activity.SimilarItem{ID: f.Code, Distance: f.Distance})
		}
	}
	return s
}

// until is the last place of the sessions' events, or the zero one if one has none. What lies behind it
// must not move what these events see out of what a store looks up.
func until(sessions []session) (last activity.Order) {
	for i := range sessions {
		place := sessions[i].event.Place
		if place == (activity.Order{}) {
			return place
		}
		if place.After(last) {
			last = place
		}
	}
	return last
}
