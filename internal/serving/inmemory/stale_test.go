package inmemory

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// outages is a database that can be down, and a clock.
type outages struct {
	*fakeDatabase

	lock sync.Mutex
	down error
	hung bool // it says nothing at all
	at   time.Time
}

func (o *outages) set(down error, hung bool, later time.Duration) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.down, o.hung, o.at = down, hung, o.at.Add(later)
}

func (o *outages) now() time.Time {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.at
}

func (o *outages) ask(ctx context.Context) error {
	o.lock.Lock()
	down, hung := o.down, o.hung
	o.lock.Unlock()
	if hung {
		<-ctx.Done()
		return ctx.Err()
	}
	return down
}

func (o *outages) Traffic(ctx context.Context) (recommend.Traffic, error) {
	if err := o.ask(ctx); err != nil {
		return recommend.Traffic{}, err
	}
	return o.fakeDatabase.Traffic(ctx)
}

func (o *outages) TrafficSince(ctx context.Context, since vectorstore.Since, versions []string) (recommend.Traffic,
	vectorstore.Changes, error) {
	if err := o.ask(ctx); err != nil {
		return recommend.Traffic{}, vectorstore.Changes{}, err
	}
	return o.fakeDatabase.TrafficSince(ctx, since, versions)
}

func (o *outages) Lookup(ctx context.Context, m *recommend.Model, codes, customers,
	sessions []string, until activity.Order) (recommend.Lookup, error) {
	if err := o.ask(ctx); err != nil {
		return recommend.Lookup{}, err
	}
	return o.fakeDatabase.Lookup(ctx, m, codes, customers, sessions, until)
}

func (o *outages) Rated(ctx context.Context, _ *recommend.Model, customers []string) (map[string][]vectorstore.Rated,
	error) {
	rated := map[string][]vectorstore.Rated{}
	for _, c := range customers {
		if c == recommendtest.CustomerOfLine1 {
			for item := range int32(5) {
				rated[c] = append(rated[c], vectorstore.Rated{Item: 20 + item, Until: math.MaxInt64})
			}
		}
	}
	return rated, o.ask(ctx)
}

// mustOutages has the first version in memory, beside a canary that does not fit there.
func mustOutages(t *testing.T, age time.Duration) (*bundle, *outages, *recommend.Recommender) {
	t.Helper()
	b := setup(t, math.MaxInt64)
	o := &outages{fakeDatabase: b.db, at: time.Now()}
	b.Store = newStore(o, b.files, math.MaxInt64, slog.New(slog.NewTextHandler(b.log, nil)), o.now)
	b.AnswerStale(age)
	if _, err := b.Traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.steps(t)
	return b, o, recommend.New(b.Store)
}

var errDown = errors.New("connection refused")

// events are of a known customer, a customer that was not asked for before, and nobody.
func events() []*activity.Event {
	known, other := activity.ID(recommendtest.CustomerOfLine1), activity.ID(recommendtest.CustomerFeatures)
	return []*activity.Event{{SessionID: "A", CustomerID: &known}, {SessionID: "B", CustomerID: &other},
		{SessionID: "C", BrowseHistory: []activity.Browse{{ProductCode: "L2_07"}}}}
}

// TestTheMemoryAnswersWhileTheDatabaseIsDown: with what it last knew, marked, at once, and no longer than it
// is told to. When the database is back, it answers again.
func TestTheMemoryAnswersWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	for name, hung := range map[string]bool{"it refuses": false, "it says nothing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, o, r := mustOutages(t, time.Minute)
			all := events()
			before, err := r.Batch(t.Context(), all[:1])
			if err != nil {
				t.Fatal(err)
			}
			if err := b.db.WriteState(t.Context(), recommend.State{Customers: []activity.CustomerWrite{{
				ID: recommendtest.CustomerOfLine1, Hidden: map[string]bool{before[0].Items[0].ID: true}}}}); err != nil {
				t.Fatal(err)
			}
			fresh, err := r.Batch(t.Context(), []*activity.Event{all[0], all[2]})
			if err != nil || fresh[0].Stale {
				t.Fatalf("%+v, %v", fresh, err)
			}
			for range 3 {
				o.set(errDown, hung, 10*time.Second)
				answers, err := r.Batch(t.Context(), all)
				if err != nil {
					t.Fatal(err)
				}
				for i, a := range answers {
					if !a.Stale || len(a.Items) != 10 {
						t.Errorf("event %d: %+v", i, a)
					}
				}
				if !reflect.DeepEqual(answers[0].Items, fresh[0].Items) || answers[0].Source != activity.SourceCustomer ||
					!reflect.DeepEqual(answers[2].Items, fresh[1].Items) || !answers[1].UnknownCustomer {
					t.Errorf("the answers are %+v, before they were %+v", answers, fresh)
				}
				similar, err := r.Similar(t.Context(), "L2_07", nil, &activity.Control{Limit: new(3)})
				if err != nil || !similar.Stale || len(similar.Items.SimilarItems) != 3 {
					t.Errorf("similar: %+v, %v", similar, err)
				}
			}
			if n := strings.Count(b.log.String(), "the vector database is down"); n != 1 {
				t.Errorf("%d lines: %s", n, b.log)
			}
			o.set(errDown, false, time.Minute)
			for deadline := time.Now().Add(time.Minute); err == nil && time.Now().Before(deadline); { // it notices that
				_, err = r.Batch(t.Context(), all)
			}
			if err == nil {
				t.Error("it answers after its time")
			}
			o.set(nil, false, 10*time.Second)
			answers, err := r.Batch(t.Context(), all)
			for deadline := time.Now().Add(time.Minute); (err != nil || answers[0].Stale) && time.Now().Before(deadline); {
				answers, err = r.Batch(t.Context(), all)
			}
			if err != nil || answers[0].Stale || answers[1].UnknownCustomer {
				t.Errorf("when the database is back: %+v, %v", answers, err)
			}
		})
	}
}

// TestNothingIsStaleUnlessToldTo: the function recommend holds the shard, as ever; and what the database
// says, it says also of a memory that could answer.
func TestNothingIsStaleUnlessToldTo(t *testing.T) {
	t.Parallel()
	_, o, r := mustOutages(t, 0)
	o.set(errDown, false, 0)
	if _, err := r.Batch(t.Context(), events()); !errors.Is(err, errDown) {
		t.Errorf("without an age: %v", err)
	}
	_, o, r = mustOutages(t, time.Minute)
	for _, said := range []error{vectorstore.ErrNoLiveVersion, vectorstore.ErrNotMigrated, vectorstore.ErrOtherShop} {
		o.set(said, false, 0)
		if _, err := r.Batch(t.Context(), events()); !errors.Is(err, said) {
			t.Errorf("%v: %v", said, err)
		}
	}
}

// TestACanaryOutOfMemoryIsNotAsked: its sessions get the live version's answers.
func TestACanaryOutOfMemoryIsNotAsked(t *testing.T) {
	t.Parallel()
	b, o, r := mustOutages(t, time.Minute)
	b.db.SetCanary(memory.New(version(second)), 0.99)
	if _, err := b.Traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.set(errDown, false, time.Second)
	answers, err := r.Batch(t.Context(), events())
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.ModelVersion != first || a.CanaryFailed || !a.Stale {
			t.Errorf("event %d: %+v", i, a)
		}
	}
}

// TestPlacementsAnswerWhileTheDatabaseIsDown: those that were live last, and each visitor by the arm that the names
// draw. Lists that only the database has are empty.
func TestPlacementsAnswerWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	b, o, r := mustOutages(t, time.Minute)
	placed := func(version string, limit int) *recommend.Placements {
		return recommend.ReadPlacements(version, recommend.EncodePlacements(map[string]recommend.Placement{
			"home": {Limit: &limit}, "fresh": {List: recommend.ListNew}}))
	}
	b.db.SetPlacements(placed("p1", 3))
	b.db.ComparePlacements(recommend.Experiment{Name: "strips", Share: 0.5, Placements: placed("p2", 4)})
	pages := events()
	for _, e := range pages {
		e.Control = &activity.Control{Placements: []string{"home", "fresh"}}
	}
	if _, err := b.Traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	var fresh []recommend.Arm
	for _, down := range []error{nil, errDown} {
		o.set(down, false, time.Second)
		answers, err := r.Batch(t.Context(), pages)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			limits := map[recommend.Arm]int{recommend.ArmControl: 3, recommend.ArmTreatment: 4}
			if a.Stale != (down != nil) || len(a.Items) != limits[a.Arm] || a.More[0].Stale != a.Stale ||
				len(a.More[0].Items) > 0 {
				t.Errorf("event %d, while the database says %v: %+v", i, down, a)
			}
			if down == nil {
				fresh = append(fresh, a.Arm)
			} else if a.Arm != fresh[i] {
				t.Errorf("event %d changed its arm from %s to %s", i, fresh[i], a.Arm)
			}
		}
	}
}

// TestFewCustomersAreRemembered: those that were asked for last.
func TestFewCustomersAreRemembered(t *testing.T) {
	t.Parallel()
	s := stale{age: time.Minute, recent: map[customerOf]*customer{}}
	buy := func(id string, n int) {
		s.note("v", id, func(c *customer) { c.bought = make([]recommend.Bought, n) })
	}
	kept := func(id string) bool { known := s.of("v", id); return known != nil && len(known.bought) > 0 }
	buy("often", 1)
	for n := range 10 * knownCustomers {
		if !kept("often") {
			t.Fatalf("forgotten after %d others", n)
		}
		buy("often", 1)
		buy(string(rune('a'+n%26))+time.Duration(n).String(), 1)
	}
	if n := len(s.recent) + len(s.lessSoon); n > 2*knownCustomers || kept("a0s") {
		t.Errorf("%d customers are remembered", n)
	}
	for n := range 1000 { // who bought much
		buy(time.Duration(n).String(), 1000)
	}
	sum := 0
	for _, of := range []map[customerOf]*customer{s.recent, s.lessSoon} {
		for _, c := range of {
			sum += c.entries()
		}
	}
	if sum > 2*(knownEntries+1000) || !kept("999ns") || !kept("900ns") {
		t.Errorf("%d entries are remembered", sum)
	}
	before := len(s.recent)
	if s.of("v", "unknown") != nil || len(s.recent) != before {
		t.Error("to ask for a customer is to remember them")
	}
}

// TestAnAnswerIsStaleAsAWhole: a question that began with the database does not get remembered customers
// because another one noticed an outage, and one that began without does not ask it.
func TestAnAnswerIsStaleAsAWhole(t *testing.T) {
	t.Parallel()
	b, o, _ := mustOutages(t, time.Minute)
	fresh, err := b.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.set(errDown, false, 0)
	stale, err := b.Traffic(t.Context())
	if err != nil || !stale.Stale || !stale.Live.Stale || fresh.Live.Stale {
		t.Fatalf("%+v, %v", stale, err)
	}
	who := recommendtest.CustomerFeatures
	search := []recommend.Search{{Customer: &who, Limit: 1}}
	for range 2 {
		_, lookedUp := b.Lookup(t.Context(), fresh.Live, nil, []string{who}, nil, activity.Order{})
		_, _, searched := b.Retrieve(t.Context(), fresh.Live, search, nil)
		if !errors.Is(lookedUp, errDown) || !errors.Is(searched, errDown) {
			t.Errorf("a question that began before gets %v, %v", lookedUp, searched)
		}
		found, lookedUp := b.Lookup(t.Context(), stale.Live, nil, []string{who}, nil, activity.Order{})
		_, _, searched = b.Retrieve(t.Context(), stale.Live, search, nil)
		if lookedUp != nil || searched != nil || len(found.Customers) > 0 {
			t.Errorf("a stale one gets %v, %v, %v", found, lookedUp, searched)
		}
	}
}

// TestWhatTheDatabaseSaysEndsAnOutage: also to a question in the background, and if it does not say the state.
func TestWhatTheDatabaseSaysEndsAnOutage(t *testing.T) {
	t.Parallel()
	for _, said := range []error{vectorstore.ErrNoLiveVersion, vectorstore.ErrNotMigrated, vectorstore.ErrOtherShop, nil} {
		b, o, _ := mustOutages(t, 100*time.Hour)
		if _, err := b.Traffic(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.set(errDown, false, 0)
		traffic, err := b.Traffic(t.Context())
		if err != nil || !traffic.Stale {
			t.Fatalf("%+v, %v", traffic, err)
		}
		b.db.since = errors.New("no state")
		for deadline := time.Now().Add(time.Minute); err == nil && traffic.Stale && time.Now().Before(deadline); {
			o.set(said, false, probePause)
			time.Sleep(time.Millisecond)
			traffic, err = b.Traffic(t.Context())
		}
		if !errors.Is(err, said) || traffic.Stale {
			t.Errorf("%v: %+v, %v", said, traffic, err)
		}
		b.mu.Lock()
		if b.stale.down || !strings.Contains(b.log.String(), "answers again") {
			t.Errorf("%v: it is still down: %s", said, b.log)
		}
		b.mu.Unlock()
	}
}

// slowState is a database whose state is read slowly.
type slowState struct {
	*outages

	begun, proceed chan struct{}
}

func (s *slowState) State(ctx context.Context, since vectorstore.Since, versions []string) (vectorstore.Changes,
	error) {
	close(s.begun)
	<-s.proceed
	return s.outages.State(ctx, since, versions)
}

// TestAVersionThatComesIntoMemoryIsNoOutage, however long its state takes.
func TestAVersionThatComesIntoMemoryIsNoOutage(t *testing.T) {
	t.Parallel()
	b, o, _ := mustOutages(t, time.Minute)
	b.db.SetCanary(memory.New(version(second)), 0.5)
	if _, err := b.Traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow := &slowState{o, make(chan struct{}), make(chan struct{})}
	b.database = slow
	var steps sync.WaitGroup
	steps.Go(func() { b.steps(t) })
	<-slow.begun
	answer := make(chan recommend.Traffic)
	go func() {
		traffic, _ := b.Traffic(t.Context())
		answer <- traffic
	}()
	select {
	case traffic := <-answer:
		t.Errorf("it answered without the database: %+v", traffic)
	case <-time.After(2 * staleWait):
		close(slow.proceed)
		if traffic := <-answer; traffic.Stale || traffic.Live == nil {
			t.Errorf("it answered %+v", traffic)
		}
		steps.Wait()
	}
}
