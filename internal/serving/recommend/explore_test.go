package recommend_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// withNew is a store whose version does not know some products: they have the features of line 0.
func withNew(t *testing.T, codes int) *recommendtest.Store {
	t.Helper()
	v := recommendtest.Version("m1")
	recommendtest.AddProductEncoder(v, 1)
	s := recommendtest.NewStore(v)
	for n := range codes {
		mustSay(t, s, fmt.Sprintf("new %d", n), noon.Add(time.Duration(n)*time.Minute))
	}
	return s
}

func mustSay(t *testing.T, s *recommendtest.Store, code string, at time.Time) {
	t.Helper()
	err := s.WriteState(t.Context(), recommend.State{Products: []activity.ProductWrite{{ID: code,
		Order:  activity.Order{At: at},
		Values: map[activity.Field]any{activity.FieldAvailable: true, activity.FieldBrand: "b=c"}}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNeverMoreIsExplored: of each answer at most the share of its products are new ones, rounded down, and
// so many if they are there. They are marked, each product is there once, and the best ones come first.
func TestNeverMoreIsExplored(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fresh, sold := rapid.IntRange(0, 4).Draw(rt, "new"), rapid.IntRange(60, 79).Draw(rt, "sold out")
		share := rapid.SampledFrom([]float64{0, 0.09, 0.1, 0.2, 0.3, 0.34, 0.5}).Draw(rt, "share")
		s := withNew(t, fresh)
		for _, it := range recommendtest.Version("m1").Items[1 : sold+1] {
			if err := s.WriteState(t.Context(), recommend.State{Products: []activity.ProductWrite{{ID: it.Code,
				Values: map[activity.Field]any{activity.FieldAvailable: false}}}}); err != nil {
				rt.Fatal(err)
			}
		}
		e := &activity.Event{SessionID: rapid.StringMatching(`[a-z]{1,3}`).Draw(rt, "session"),
			EventID: rapid.StringMatching(`[a-z]{0,3}`).Draw(rt, "event")}
		if rapid.Bool().Draw(rt, "clicks") {
			e.BrowseHistory = []activity.Browse{{ProductCode: "L3_19"}}
		}
		answers, err := recommend.New(s).Exploring(share).Batch(t.Context(), []*activity.Event{e})
		if err != nil {
			rt.Fatal(err)
		}
		items, explored := answers[0].Items, 0
		seen := map[string]bool{}
		for i, it := range items {
			if it.Explored {
				explored++
			}
			if it.Explored != (it.ID[0] == 'n') || seen[it.ID] || i > 0 && it.Score > items[i-1].Score {
				rt.Fatalf("item %d of %v", i, items)
			}
			seen[it.ID] = true
		}
		most := int(math.Floor(share*float64(len(items)) + 1e-9))
		if explored > most || len(items) == 10 && explored != min(most, fresh) {
			rt.Fatalf("%d of %d products are explored, %d are new, the share is %g", explored, len(items), fresh, share)
		}
	})
}

// TestAnotherAttemptExploresTheSame: an event with a place gets the same products again, although new ones
// have come meanwhile; and every new product is shown to somebody.
func TestAnotherAttemptExploresTheSame(t *testing.T) {
	t.Parallel()
	s := withNew(t, 9)
	r := recommend.New(s).Exploring(0.2)
	shown := map[string]bool{}
	var first [][]activity.RecommendedItem
	var events []*activity.Event
	for n := range 60 {
		e := event("", "", "L1_03")
		e.SessionID, e.Place = fmt.Sprint(n), activity.Order{At: noon.Add(8 * time.Minute), Sequence: fmt.Sprint(100 + n)}
		events = append(events, e)
	}
	for attempt := range 2 {
		answers, err := r.Batch(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			for _, it := range a.Items {
				if it.Explored {
					shown[it.ID] = true
				}
			}
			if attempt == 0 {
				first = append(first, a.Items)
			} else if !slices.Equal(a.Items, first[i]) {
				t.Fatalf("event %d: %v, then %v", i, first[i], a.Items)
			}
		}
		mustSay(t, s, "later", noon.Add(8*time.Minute+time.Millisecond))
	}
	if len(shown) != 9 {
		t.Errorf("shown were %v", shown)
	}
	events[0].Place.At = noon.Add(time.Hour)
	for n := range 40 {
		events[0].EventID = fmt.Sprint("e", n)
		answers, err := r.Batch(t.Context(), events[:1])
		if err != nil {
			t.Fatal(err)
		}
		shown["later"] = shown["later"] || slices.ContainsFunc(answers[0].Items,
			func(it activity.RecommendedItem) bool { return it.ID == "later" })
	}
	if !shown["later"] {
		t.Error("a later event does not explore what came before it")
	}
}

// TestAClickOnANewProductCounts: it is folded in, it is the reason, and it has similar products.
func TestAClickOnANewProductCounts(t *testing.T) {
	t.Parallel()
	r := recommend.New(withNew(t, 2))
	answers, err := r.Batch(t.Context(), []*activity.Event{event("", "", "new 1")})
	if err != nil || answers[0].Source != activity.SourceSession || answers[0].UnknownProducts > 0 {
		t.Fatalf("%+v, %v", answers, err)
	}
	similar, err := r.Similar(t.Context(), "new 1", nil, nil)
	if err != nil || len(similar.Items.SimilarItems) != 5 || similar.Items.SimilarItems[0].ID != "new 0" {
		t.Errorf("similar: %v, %v", similar, err)
	}
}
