package recommend_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

func experimentStore(share float64) *recommendtest.Store {
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	store.StartExperiment(recommend.Experiment{Name: "new", Share: share}, recommendtest.Version("m2"))
	return store
}

func visit(session, customer string) *activity.Event {
	e := &activity.Event{SessionID: session}
	if customer != "" {
		id := activity.ID(customer)
		e.CustomerID = &id
	}
	return e
}

// TestVisitorsKeepTheirArm: whatever comes in whatever batches, also twice, a session has one arm. A customer
// has the first one, except in sessions that had another one before the customer was known. The arm's
// version answers.
func TestVisitorsKeepTheirArm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		store := experimentStore(0.5)
		r := recommend.New(store)
		ofSession, ofCustomer := map[string]recommend.Arm{}, map[string]recommend.Arm{}
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			var batch []*activity.Event
			for range rapid.IntRange(1, 8).Draw(t, "events") {
				e := visit(rapid.SampledFrom([]string{"", "s1", "s2", "s3", "s4"}).Draw(t, "session"),
					rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "customer"))
				if e.SessionID == "" && e.CustomerID == nil {
					e.SessionID = "s5"
				}
				batch = append(batch, e)
			}
			first, err := r.Batch(context.Background(), batch)
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.Batch(context.Background(), batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range batch {
				a := first[i]
				if a.ModelVersion != map[recommend.Arm]string{recommend.ArmControl: "m1", recommend.ArmTreatment: "m2"}[a.Arm] {
					t.Fatalf("%s answers %s", a.ModelVersion, a.Arm)
				}
				if again[i].Arm != a.Arm {
					t.Fatalf("event %d again: %s, before %s", i, again[i].Arm, a.Arm)
				}
				was, known := ofSession[e.SessionID]
				if known && was != a.Arm {
					t.Fatalf("session %s: %s, before %s", e.SessionID, a.Arm, was)
				}
				if e.SessionID != "" {
					ofSession[e.SessionID] = a.Arm
				}
				if e.CustomerID == nil {
					continue
				}
				customer := string(*e.CustomerID)
				if was, ok := ofCustomer[customer]; ok && was != a.Arm && !known {
					t.Fatalf("customer %s in a new session, or in none: %s, before %s", customer, a.Arm, was)
				} else if !ok {
					ofCustomer[customer] = a.Arm
				}
			}
		}
	})
}

// TestArmsHaveTheirShare: of sessions and of customers, and another experiment draws anew.
func TestArmsHaveTheirShare(t *testing.T) {
	t.Parallel()
	const visitors = 4000
	arms := map[string][]recommend.Arm{}
	for _, name := range []string{"new", "newer"} {
		store := recommendtest.NewStore(recommendtest.Version("m1"))
		store.StartExperiment(recommend.Experiment{Name: name, Share: 0.3}, recommendtest.Version("m2"))
		var batch []*activity.Event
		for i := range visitors {
			if i%2 == 0 {
				batch = append(batch, visit(fmt.Sprint("session ", i), ""))
			} else {
				batch = append(batch, visit(fmt.Sprint("session ", i), fmt.Sprint(i)))
			}
		}
		answers, err := recommend.New(store).Batch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		treated := 0.0
		for _, a := range answers {
			arms[name] = append(arms[name], a.Arm)
			if a.Arm == recommend.ArmTreatment {
				treated++
			}
		}
		if deviation := math.Sqrt(visitors * 0.3 * 0.7); math.Abs(treated-0.3*visitors) > 5*deviation {
			t.Errorf("%s: %g of %d visitors were treated", name, treated, visitors)
		}
	}
	same := 0.0
	for i := range visitors {
		if arms["new"][i] == arms["newer"][i] {
			same++
		}
	}
	if want := visitors * (0.3*0.3 + 0.7*0.7); math.Abs(same-want) > 5*math.Sqrt(want*0.42) {
		t.Errorf("two experiments draw %g of %d visitors into the same arm, want about %g", same, visitors, want)
	}
}

// TestAnArmIsDrawnWithoutTheStore: the arms that a store cannot keep are drawn as they are kept, and where the
// treatment cannot answer, its visitors are still its visitors.
func TestAnArmIsDrawnWithoutTheStore(t *testing.T) {
	t.Parallel()
	store := experimentStore(0.5)
	var batch []*activity.Event
	for i := range 50 {
		batch = append(batch, visit(fmt.Sprint(i), ""))
	}
	answer := func() []recommend.Answer {
		answers, err := recommend.New(store).Batch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		return answers
	}
	calls := 0
	store.Fail(func(context.Context) error { // Traffic, Arms, KeepArms
		if calls++; calls == 3 {
			return errors.New("the database is read-only")
		}
		return nil
	})
	without := answer()
	store.Fail(nil)
	with := answer()
	store.Break("m2")
	broken := answer()
	for i := range batch {
		if without[i].Arm != with[i].Arm || broken[i].Arm != with[i].Arm {
			t.Errorf("event %d: %s without the store, %s with it, %s where the treatment is broken", i, without[i].Arm,
				with[i].Arm, broken[i].Arm)
		}
		if broken[i].ModelVersion != "m1" || broken[i].CanaryFailed != (with[i].Arm == recommend.ArmTreatment) {
			t.Errorf("event %d where the treatment is broken: %+v", i, broken[i])
		}
	}
	store.Fail(func(context.Context) error { return errors.New("the database is down") })
	if _, err := recommend.New(store).Batch(t.Context(), batch); err == nil {
		t.Error("the database is down, and no error says so")
	}
}

// TestPlacementsAreArms: visitors keep their arm, of which the placements answer on the stream and in lists, and nobody
// else takes part. Pages that either arm would refuse are refused before.
func TestPlacementsAreArms(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	store.Place(map[string]recommend.Placement{"home": {Limit: new(3)},
		"top":   {List: recommend.ListPopular, Limit: new(3)},
		"alike": {List: recommend.ListSimilar, Limit: new(3)}, "odd": {}})
	store.PlaceTreatment("strips", 0.5, map[string]recommend.Placement{"home": {Limit: new(4)},
		"top": {List: recommend.ListPopular, Limit: new(4)}, "alike": {List: recommend.ListSimilar, Limit: new(4)},
		"odd": {List: recommend.ListSimilar}})
	r := recommend.New(store)
	limits := map[recommend.Arm]int{recommend.ArmControl: 3, recommend.ArmTreatment: 4}
	seen := map[recommend.Arm]int{}
	for i := range 60 {
		e := visit(fmt.Sprint("s", i), "")
		plain, page := *e, *e
		page.Control = &activity.Control{Placement: "home"}
		answers, err := r.Batch(t.Context(), []*activity.Event{&plain, &page})
		if err != nil {
			t.Fatal(err)
		}
		arm := answers[1].Arm
		seen[arm]++
		if answers[0].Arm != "" || answers[0].Experiment != "" || answers[1].Experiment != "strips" ||
			len(answers[1].Items) != limits[arm] || answers[1].ModelVersion != "m1" {
			t.Fatalf("session %d: %+v, and at home %+v", i, answers[0], answers[1])
		}
		page.CustomerID = new(activity.ID("7")) // a login keeps the arm
		top, err := r.List(t.Context(), recommend.ListQuery{List: activity.SourcePopularity, Visitor: &page},
			&activity.Control{Placement: "top"})
		if err != nil || top.Arm != arm || top.Experiment != "strips" || len(top.Items) != limits[arm] {
			t.Fatalf("session %d in %s: popular %+v, %v", i, arm, top, err)
		}
		alike, err := r.Similar(t.Context(), "L1_03", e, &activity.Control{Placement: "alike"})
		if err != nil || alike.Arm != arm || alike.Experiment != "strips" || len(alike.Items.SimilarItems) != limits[arm] {
			t.Fatalf("session %d in %s: similar %+v, %v", i, arm, alike, err)
		}
		if given, err := r.Rerank(t.Context(), e, []string{"L1_03"}); err != nil || given.Arm != "" {
			t.Fatalf("session %d: reranked %+v, %v", i, given, err)
		}
	}
	if seen[recommend.ArmControl] < 10 || seen[recommend.ArmTreatment] < 10 {
		t.Errorf("the arms have %v of 60 sessions", seen)
	}
	for _, visitor := range []*activity.Event{nil, {}} {
		top, err := r.List(t.Context(), recommend.ListQuery{List: activity.SourcePopularity, Visitor: visitor},
			&activity.Control{Placement: "top"})
		if err != nil || top.Arm != "" || top.Experiment != "" || len(top.Items) != 3 {
			t.Errorf("nobody: %+v, %v", top, err)
		}
	}
	odd := visit("s", "")
	odd.Control = &activity.Control{Placement: "odd", Diversity: &activity.Diversity{MMR: new(0.5)}}
	var refused *recommend.QueryError
	if _, faults, err := r.Check(t.Context(), []*activity.Event{odd}); err != nil || !errors.As(faults[0], &refused) {
		t.Errorf("what the treatment refuses: %v, %v", faults, err)
	}
}

// TestATreatmentThatCannotBeRead leaves its visitors to the live placements, and keeps their arm.
func TestATreatmentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	inner := memory.NewStore(memory.New(recommendtest.Version("m1")))
	placed := recommend.EncodePlacements(map[string]recommend.Placement{"home": {Limit: new(3)}})
	inner.SetPlacements(recommend.ReadPlacements("p1", placed))
	inner.ComparePlacements(recommend.Experiment{Name: "later", Share: 1,
		Placements: recommend.ReadPlacements("p2", []byte(`{"format":99}`))})
	e := visit("s", "")
	e.Control = &activity.Control{Placement: "home"}
	answers, err := recommend.New(inner).Batch(t.Context(), []*activity.Event{e})
	if err != nil || len(answers[0].Items) != 3 || answers[0].Arm != recommend.ArmTreatment {
		t.Errorf("%+v, %v", answers, err)
	}
}
