package recommend_test

import (
	"slices"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// TestWhatACustomerHidesIsNotShown: in no answer of the customer, whatever version is live, not even in one
// that would be empty without it. Others see it.
func TestWhatACustomerHidesIsNotShown(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	r := recommend.New(store)
	ask := func() map[string][]string {
		t.Helper()
		events := map[string]*activity.Event{"GET": event(recommendtest.CustomerOfLine1, ""),
			"session": event(recommendtest.CustomerOfLine1, "", "L1_07"), "of all": event(recommendtest.CustomerOfAll, ""),
			"unknown": event("new", "", "L2_07"), "other": event("other", "")}
		all := map[string][]string{}
		for name, e := range events {
			answers, err := r.Batch(t.Context(), []*activity.Event{e})
			if err != nil {
				t.Fatal(err)
			}
			all[name] = codes(answers[0])
		}
		return all
	}
	before := ask()
	var state recommend.State
	for name, id := range map[string]string{"GET": recommendtest.CustomerOfLine1, "session": recommendtest.CustomerOfLine1,
		"of all": recommendtest.CustomerOfAll, "unknown": "new"} {
		state.Customers = append(state.Customers, activity.CustomerWrite{ID: id, Order: activity.Order{At: time.Now()},
			Hidden: map[string]bool{before[name][0]: true}})
	}
	if err := store.WriteState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"m1", "m2"} {
		store.Promote(recommendtest.Version(version))
		for name, got := range ask() {
			if hides := name != "other"; hides == slices.Contains(got, before[name][0]) || len(got) == 0 {
				t.Errorf("%s: %s: %v, and %v before", version, name, got, before[name])
			}
		}
	}
}

// TestWhatIsSaidOfANewCustomerCounts: as if each of the customer's events said it.
func TestWhatIsSaidOfANewCustomerCounts(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	r := recommend.New(store)
	write := activity.CustomerWrite{ID: "new", Order: activity.Order{At: time.Now()},
		Values: map[activity.CustomerField]any{activity.CustomerCountry: "France"}}
	if err := store.WriteState(t.Context(), recommend.State{Customers: []activity.CustomerWrite{write}}); err != nil {
		t.Fatal(err)
	}
	answers, err := r.Batch(t.Context(), []*activity.Event{event("new", ""), event("other", "France"),
		event("new", "Spain")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := codes(answers[0]), codes(answers[1]); !slices.Equal(got, want) ||
		answers[0].Source != activity.SourceFeatures {
		t.Errorf("%s: %v, want %v", answers[0].Source, got, want)
	}
	if answers[2].Source != activity.SourcePopularity {
		t.Errorf("what the event says itself counts first: %s", answers[2].Source)
	}
}
