package recommend_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"github.com/google/go-cmp/cmp"
)

func event(customer, country string, history ...string) *activity.Event {
	e := &activity.Event{SessionID: "s", Country: country, BrowseHistory: []activity.Browse{}}
	if customer != "" {
		e.CustomerID = (*activity.ID)(&customer)
	}
	for _, code := range history { // a trailing + puts it into the cart
		bare, inCart := strings.CutSuffix(code, "+")
		e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(bare), Quantity: 1,
			InShoppingCart: inCart})
	}
	return e
}

func codes(a recommend.Answer) []string {
	var all []string
	for _, it := range a.Items {
		all = append(all, it.ID)
	}
	return all
}

func mustBatch(t *testing.T, events ...*activity.Event) []recommend.Answer {
	t.Helper()
	answers, err := recommend.New(recommendtest.NewStore(recommendtest.Version("m1"))).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestFallbackChain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event  *activity.Event
		source activity.Source
		line   string // that the best item belongs to
		left   string // what must not be recommended
	}{
		"session of a customer": {event(recommendtest.CustomerOfLine1, "", "L2_03", "L2_04+"),
			activity.SourceSession, "L2", "L2_03 L2_04 L1_00"},
		"anonymous session": {event("", "", "L2_03"), activity.SourceSession, "L2", "L2_03"},
		"session outweighs features": {event("", "France", "L0_03+", "L0_04+"), activity.SourceSession, "L0",
			"L0_03 L0_04 L0_00"},
		"customer with history": {event(recommendtest.CustomerOfLine1, "France"), activity.SourceCustomer, "L1",
			"L1_00 L1_04"},
		"unknown products only": {event(recommendtest.CustomerOfLine1, "", "nothing"),
			activity.SourceCustomer, "L1", ""},
		"customer without history": {event(recommendtest.CustomerFeatures, "France"),
			activity.SourceFeatures, "L2", ""},
		"unknown customer, known country": {event("999", "France"), activity.SourceFeatures, "L3", ""},
		"anonymous, known country":        {event("", "France"), activity.SourceFeatures, "L3", ""},
		"nothing known":                   {event("", "Peru"), activity.SourcePopularity, "L1", "L0_00"},
		"unknown cart, nothing else":      {event("", "", "nothing+"), activity.SourcePopularity, "L1", ""},
		"customer who has rated everything": {event(recommendtest.CustomerOfAll, ""),
			activity.SourcePopularity, "L1", "L0_00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := mustBatch(t, test.event)[0]
			if a.Source != test.source || a.ModelVersion != "m1" || len(a.Items) != 10 ||
				!strings.HasPrefix(a.Items[0].ID, test.line) {
				t.Fatalf("got %+v, want source %s and line %s", a, test.source, test.line)
			}
			for _, code := range strings.Fields(test.left) {
				if slices.Contains(codes(a), code) {
					t.Errorf("%s is recommended", code)
				}
			}
			for i, it := range a.Items {
				if i > 0 && it.Score > a.Items[i-1].Score {
					t.Errorf("item %d is better than the one before", i)
				}
				if (it.Because != "") && test.source != activity.SourceSession {
					t.Errorf("%s because of %s without a session", it.ID, it.Because)
				}
			}
			if (a.Similar != nil) != (test.source == activity.SourceSession) {
				t.Errorf("similar items: %+v", a.Similar)
			}
		})
	}
}

// TestPopularityVersionAnswersByPopularity: whoever asks, and whatever the session has.
func TestPopularityVersionAnswersByPopularity(t *testing.T) {
	t.Parallel()
	v := recommendtest.Version("m1")
	v.Solver.Kind, v.Report.Verdict = modelversion.KindPopularity, modelversion.PopularityVerdict("")
	events := []*activity.Event{event("", ""), event("", "France"), event("", "France", "nothing", "L2_03",
		"L1_02+", "gone"), event(recommendtest.CustomerOfLine1, "Peru", "L3_05"), event("999", ""),
		event(recommendtest.CustomerOfAll, "")}
	answers, err := recommend.New(recommendtest.NewStore(v)).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Source != activity.SourcePopularity || len(a.Items) != 10 || a.Items[0].Because != "" {
			t.Errorf("event %d: %+v", i, a)
		}
		for j := 1; j < len(a.Items); j++ {
			if a.Items[j].Score > a.Items[j-1].Score {
				t.Errorf("event %d: item %d is more popular than the one before", i, j)
			}
		}
	}
	if a := answers[2]; a.UnknownProducts != 2 || a.Similar == nil || a.Similar.ProductCode != "L1_02" ||
		slices.Contains(codes(a), "L2_03") || slices.Contains(codes(a), "L1_02") {
		t.Errorf("a session: %+v", a)
	}
	if a := answers[3]; a.Similar.ProductCode != "L3_05" || slices.Contains(codes(a), "L1_00") || a.UnknownCustomer {
		t.Errorf("a customer with a session: %+v", a)
	}
	if !answers[4].UnknownCustomer || answers[0].Similar != nil {
		t.Errorf("nobody: %+v", answers[4])
	}
}

func TestBecauseNamesTheProductBehindAnItem(t *testing.T) {
	t.Parallel()
	a := mustBatch(t, event("", "", "L2_03", "L3_05", "L3_06+"))[0]
	for _, it := range a.Items {
		if it.Because == "" || it.Because[:2] != it.ID[:2] {
			t.Errorf("%s because of %q", it.ID, it.Because)
		}
	}
	if a.Similar.ProductCode != "L3_06" || len(a.Similar.SimilarItems) != 5 {
		t.Errorf("the most telling product is %+v", a.Similar)
	}
	for _, near := range a.Similar.SimilarItems {
		if near.ID[:2] != "L3" || near.ID == "L3_06" || near.Distance < 0 || near.Distance > 0.5 {
			t.Errorf("similar to L3_06: %+v", near)
		}
	}
}

func TestLongSessionsCountTheirEnd(t *testing.T) {
	t.Parallel()
	var history []string
	for i := range 10_000 {
		history = append(history, fmt.Sprintf("L0_%02d+", i%20))
	}
	for i := range 60 { // distinct and unknown but for the last three of line 3
		history = append(history, fmt.Sprintf("x%d", i))
	}
	history = append(history, "L3_01", "L3_02", "L3_03")
	a := mustBatch(t, event("", "", history...))[0]
	if a.Source != activity.SourceSession || a.Items[0].ID[:2] != "L3" {
		t.Errorf("got %+v", a)
	}
	for _, code := range codes(a) {
		if code[:2] == "L0" {
			t.Errorf("%s lies in the cart", code)
		}
	}
}

func TestAProductIsInTheCartByAnyOfItsEntries(t *testing.T) {
	t.Parallel()
	answers := mustBatch(t, event("", "", "L2_03+"), event("", "", "L2_03+", "L2_03"), event("", "", "L2_03", "L2_03+"),
		event("", "", "L2_03"))
	for i, again := range answers[1:3] {
		if diff := cmp.Diff(answers[0], again); diff != "" {
			t.Errorf("history %d: %s", i+1, diff)
		}
	}
	if cmp.Equal(answers[0], answers[3]) {
		t.Error("a product in the cart weighs no more than a view")
	}
}

func TestBatchEqualsOneByOne(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	customers := []string{"", recommendtest.CustomerOfLine1, recommendtest.CustomerFeatures,
		recommendtest.CustomerOfAll, "999"}
	var events []*activity.Event
	for range 60 {
		var history []string
		for range rng.IntN(6) {
			history = append(history, fmt.Sprintf("L%d_%02d%s", rng.IntN(5), rng.IntN(20), []string{"", "+"}[rng.IntN(2)]))
		}
		events = append(events, event(customers[rng.IntN(len(customers))], []string{"", "France", "Peru"}[rng.IntN(3)],
			history...))
	}
	together := mustBatch(t, events...)
	for i, e := range events {
		alone := mustBatch(t, e)[0]
		if diff := cmp.Diff(alone, together[i]); diff != "" {
			t.Errorf("event %d, alone and in the batch: %s", i, diff)
		}
		if len(alone.Items) == 0 {
			t.Errorf("event %d got an empty answer", i)
		}
	}
}

func TestRoundTripsDoNotDependOnTheNumberOfEvents(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 100} {
		store := recommendtest.NewStore(recommendtest.Version("m1"))
		var events []*activity.Event
		for range n {
			events = append(events, event(recommendtest.CustomerOfLine1, "", "L0_01", "L2_02"))
		}
		if _, err := recommend.New(store).Batch(t.Context(), events); err != nil || store.Trips() != 3 {
			t.Errorf("%d events took %d round trips: %v", n, store.Trips(), err)
		}
	}
}

func TestBatchFollowsThePointer(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	r := recommend.New(store)
	for _, id := range []string{"m1", "m2", "m1"} {
		v := recommendtest.Version(id)
		if id == "m2" { // other settings: the solver must change with the version
			v.Solver.Lambda = 10
		}
		store.Promote(v)
		a, err := r.Batch(t.Context(), []*activity.Event{event("", "", "L2_03")})
		if err != nil || a[0].ModelVersion != id {
			t.Fatalf("got %+v: %v", a, err)
		}
		if weak := a[0].Items[0].Score < 0.1; weak != (id == "m2") {
			t.Errorf("version %s scores %g", id, a[0].Items[0].Score)
		}
	}
}

func TestCanaryAnswersAStableShareOfTheSessions(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	r := recommend.New(store)
	var events []*activity.Event
	for i := range 2000 { // two events a session
		e := event("", "", "L2_03")
		e.SessionID = fmt.Sprintf("session-%d", i/2)
		events = append(events, e)
	}
	byCustomer := []*activity.Event{event(recommendtest.CustomerOfLine1, ""), event(recommendtest.CustomerOfLine1, "")}
	for _, e := range byCustomer {
		e.SessionID = ""
	}
	var before map[string]bool // sessions that the canary answers
	for _, share := range []float64{0.1, 0.3} {
		store.Canary(recommendtest.Version("m2"), share)
		trips := store.Trips()
		answers, err := r.Batch(t.Context(), append(events, byCustomer...))
		if err != nil {
			t.Fatal(err)
		}
		if got := store.Trips() - trips; got != 5 {
			t.Errorf("%d round trips for two versions", got)
		}
		canary := map[string]bool{}
		for i := 0; i < len(answers); i += 2 {
			if answers[i].ModelVersion != answers[i+1].ModelVersion || len(answers[i].Items) != 10 {
				t.Errorf("session of event %d: %+v and %+v", i, answers[i], answers[i+1])
			}
			if i < len(events) && answers[i].ModelVersion == "m2" {
				canary[events[i].SessionID] = true
			}
		}
		if got := float64(len(canary)) / 1000; math.Abs(got-share) > 0.04 { // four standard deviations at 0.1
			t.Errorf("%.3f of the sessions for a share of %.1f", got, share)
		}
		for id := range before {
			if !canary[id] {
				t.Errorf("%s left the canary when its share grew", id)
			}
		}
		before = canary
	}
	store.Canary(nil, 0)
	answers, err := r.Batch(t.Context(), events)
	if err != nil || slices.ContainsFunc(answers, func(a recommend.Answer) bool { return a.ModelVersion != "m1" }) {
		t.Errorf("without a canary the live version does not answer alone: %v", err)
	}
}

// A canary whose tables are gone costs no answer: its sessions get the live version's, as if there
// were no canary. It ends after so many requests as the rule says, and not before.
func TestABrokenCanaryIsAnsweredForAndEnds(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	var events []*activity.Event
	for i := range 100 {
		e := event("", "", "L2_03")
		e.SessionID = fmt.Sprint("session ", i)
		events = append(events, e)
	}
	want, err := recommend.New(store).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	store.Canary(recommendtest.Version("m2"), 0.05)
	store.Break("m2")
	r := recommend.New(store)
	for request := range recommend.CanaryErrors {
		traffic, err := r.Traffic(t.Context())
		if err != nil || traffic.Canary == nil {
			t.Fatalf("before request %d: %+v, %v", request, traffic, err)
		}
		answers, err := r.Batch(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for i := range answers {
			if answers[i].CanaryFailed != (traffic.Of(events[i]) == traffic.Canary) {
				t.Errorf("event %d: %+v", i, answers[i])
			}
			if answers[i].CanaryFailed {
				failed++
			}
			answers[i].CanaryFailed = false
		}
		if failed < 1 || failed > 15 || !cmp.Equal(answers, want) {
			t.Errorf("%d answers instead of the canary's; %s", failed, cmp.Diff(answers, want))
		}
	}
	if traffic, err := r.Traffic(t.Context()); err != nil || traffic.Canary != nil {
		t.Errorf("the canary goes on: %+v, %v", traffic, err)
	}
	answers, err := r.Batch(t.Context(), events)
	if err != nil || !cmp.Equal(answers, want) {
		t.Errorf("after the canary's end: %v", err)
	}
}

// What both versions cannot answer is an error as before, and no fault of the canary.
func TestAStoreThatIsDownEndsNoCanary(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	store.Canary(recommendtest.Version("m2"), 0.5)
	down, r := errors.New("down"), recommend.New(store)
	var events []*activity.Event
	for i := range 20 {
		events = append(events, &activity.Event{SessionID: fmt.Sprint("session ", i),
			BrowseHistory: []activity.Browse{{ProductCode: "L2_03"}}})
	}
	for range 2 * recommend.CanaryErrors {
		first := store.Trips() + 1
		store.Fail(func(context.Context) error {
			if store.Trips() == first { // the pointer can be read
				return nil
			}
			return down
		})
		if _, err := r.Batch(t.Context(), events); !errors.Is(err, down) {
			t.Fatalf("got %v", err)
		}
	}
	store.Fail(nil)
	if traffic, err := r.Traffic(t.Context()); err != nil || traffic.Canary == nil {
		t.Errorf("the canary ended: %+v, %v", traffic, err)
	}
}

func TestBatchReportsAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for trip := 1; trip <= 3; trip++ {
		store := recommendtest.NewStore(recommendtest.Version("m1"))
		store.Fail(func(context.Context) error {
			if store.Trips() == trip {
				return down
			}
			return nil
		})
		if a, err := recommend.New(store).Batch(t.Context(), []*activity.Event{event("101", "", "L0_01")}); !errors.Is(err,
			down) || a != nil {
			t.Errorf("trip %d: got %v, %v", trip, a, err)
		}
	}
}

func TestSimilar(t *testing.T) {
	t.Parallel()
	r := recommend.New(recommendtest.NewStore(recommendtest.Version("m1")))
	a, err := r.Similar(t.Context(), "L2_00", nil, &activity.Control{Limit: new(3)})
	if err != nil || a.ModelVersion != "m1" || a.Items.ProductCode != "L2_00" || len(a.Items.SimilarItems) != 3 ||
		a.Stale {
		t.Fatalf("got %+v: %v", a, err)
	}
	if _, err := r.Similar(t.Context(), "nothing", nil, nil); !errors.Is(err, recommend.ErrUnknownProduct) {
		t.Errorf("unknown product: %v", err)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := activity.Position{Stream: "activity", Shard: "shardId-0", SequenceNumber: "1", ArrivedAt: at}
	answer := mustBatch(t, event("", "", "L2_03"))[0]
	record := answer.Record([]byte(`{}`), &activity.Event{EventID: "e"}, p, at.Add(1500*time.Microsecond))
	got := record.Recommendation
	if got.ID != activity.RecommendationID("e", "") || got.EventID != "e" || got.LatencyMS != 1.5 ||
		got.Source != activity.SourceSession ||
		got.Position != p || len(record.RecommendedItems) != 10 {
		t.Errorf("got %+v", record)
	}
}

// BenchmarkBatch measures the arithmetic of an event with five browsed products at the dimension
// and catalogue of a real model; the store costs nothing, its candidates are made beforehand.
func BenchmarkBatch(b *testing.B) {
	const dim, events = 64, 100
	store := newFixedStore(dim)
	batch := make([]*activity.Event, events)
	for i := range batch {
		batch[i] = event(strconv.Itoa(i+1), "", "p1", "p2", "p3", "p4", "p5+")
	}
	r := recommend.New(store)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Batch(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*events), "µs/event")
}

// fixedStore gives every search the same candidates.
type fixedStore struct {
	recommendtest.Bare

	model      recommend.Model
	found      recommend.Lookup
	candidates []recommend.Candidate
	similar    []recommend.Similar
}

func newFixedStore(dim int) *fixedStore {
	rng := rand.New(rand.NewPCG(3, 4))
	vector := func() []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	s := &fixedStore{found: recommend.Lookup{Items: map[string]recommend.Item{},
		Customers: map[string]recommend.Customer{}}}
	s.model = recommend.Model{Version: "m1", Solver: modelversion.Solver{Dim: dim, Alpha0: 0.1, Lambda: 0.01, Nu: 1,
		ViewWeight: 1, CartWeight: 4, Items: 800, Gram: make([]float32, dim*dim)}}
	for i := range dim {
		s.model.Solver.Gram[i*dim+i] = 800
	}
	for i := range 100 {
		s.found.Customers[strconv.Itoa(i+1)] = recommend.Customer{Origin: modelversion.OriginTrained, Vector: vector()}
	}
	for i := range 10 {
		code := fmt.Sprintf("p%d", i)
		s.found.Items[code] = recommend.Item{Vector: vector()}
		s.candidates = append(s.candidates, recommend.Candidate{Code: code, Score: 1, Vector: vector()})
		s.similar = append(s.similar, recommend.Similar{Code: code})
	}
	return s
}

func (s *fixedStore) Traffic(context.Context) (recommend.Traffic, error) {
	return recommend.Traffic{Live: &s.model}, nil
}

func (s *fixedStore) Lookup(_ context.Context, _ *recommend.Model, _, _, _ []string,
	_ activity.Order) (recommend.Lookup, error) {
	return s.found, nil
}

func (s *fixedStore) Retrieve(_ context.Context, _ *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i := range candidates {
		candidates[i] = s.candidates
	}
	for i := range similar {
		similar[i] = s.similar[:5]
	}
	return candidates, similar, nil
}

func (s *fixedStore) CanaryFailed(context.Context, string, error) error { return nil }
