package recommend_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// mustPages asks for page after page, and returns all products and the number of pages.
func mustPages(t *rapid.T, r *recommend.Recommender, e *activity.Event) (all []activity.RecommendedItem, pages int) {
	for e.Control.Cursor = ""; ; pages++ {
		answers, err := r.Batch(t.Context(), []*activity.Event{e})
		if err != nil {
			t.Fatal(err)
		}
		a := answers[0]
		if len(a.Items) > *e.Control.Limit || a.Cursor != "" && len(a.Items) < *e.Control.Limit {
			t.Fatalf("page %d has %d products of %d, and the cursor %q", pages, len(a.Items), *e.Control.Limit, a.Cursor)
		}
		all = append(all, a.Items...)
		if a.Cursor == "" {
			return all, pages + 1
		}
		e.Control.Cursor = a.Cursor
	}
}

// TestPagesShowEveryProductOnce: whatever the limit, the pages together show all that one long list has, in its
// order but for what is explored, and nothing that is left out.
func TestPagesShowEveryProductOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := recommendtest.Version("m1")
		s := withNew(t, rapid.IntRange(0, 12).Draw(rt, "new"))
		code := rapid.Map(rapid.SampledFrom(v.Items), func(it modelversion.Item) string { return it.Code })
		e := event(rapid.SampledFrom([]string{"", recommendtest.CustomerOfLine1, "stranger"}).Draw(rt, "customer"), "",
			rapid.SliceOfN(code, 0, 5).Draw(rt, "history")...)
		e.Control = &activity.Control{Limit: new(rapid.IntRange(1, 40).Draw(rt, "limit"))}
		exclude := rapid.SliceOfN(code, 0, 30).Draw(rt, "exclude")
		for _, c := range exclude {
			e.Control.Exclude = append(e.Control.Exclude, activity.ID(c))
		}
		share := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(rt, "share")
		all, pages := mustPages(rt, recommend.New(s).Exploring(share), e)
		e.Control.Cursor, e.Control.Limit = "", new(activity.MaxAnswer)
		answers, err := recommend.New(s).Batch(rt.Context(), []*activity.Event{e})
		if err != nil {
			rt.Fatal(err)
		}
		seen := map[string]bool{}
		var known []string
		for _, it := range all {
			if seen[it.ID] || slices.Contains(exclude, it.ID) {
				rt.Fatalf("%s is there twice, or is left out", it.ID)
			}
			if seen[it.ID] = true; !it.Explored {
				known = append(known, it.ID)
			}
		}
		if want := codes(answers[0]); !slices.Equal(known, want) {
			rt.Fatalf("%d pages show\n%v\nwant\n%v", pages, known, want)
		}
	})
}

// TestACursorIsOfItsQuestion: another control, visitor or version and a damaged one are refused, and so is a
// cursor on the stream.
func TestACursorIsOfItsQuestion(t *testing.T) {
	t.Parallel()
	s := recommendtest.NewStore(recommendtest.Version("m1"))
	r := recommend.New(s)
	ask := func(c activity.Control, place activity.Order) (recommend.Answer, error) {
		e := event("", "", "L1_03")
		e.Control, e.Place = &c, place
		answers, err := r.Batch(t.Context(), []*activity.Event{e})
		if err != nil {
			return recommend.Answer{}, err
		}
		return answers[0], nil
	}
	first, err := ask(activity.Control{Limit: new(5)}, activity.Order{})
	if err != nil || first.Cursor == "" {
		t.Fatal(first, err)
	}
	second, err := ask(activity.Control{Limit: new(5), Cursor: first.Cursor}, activity.Order{})
	if err != nil || len(second.Items) != 5 || second.Query != first.Query || second.Cursor == first.Cursor {
		t.Fatal(second, err)
	}
	refused := func(name string, c activity.Control, place activity.Order) {
		var query *recommend.QueryError
		var store *recommend.RefusedError
		if a, err := ask(c, place); !errors.As(err, &query) || !errors.As(err, &store) ||
			!strings.Contains(query.Message, "cursor") {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	refused("another limit", activity.Control{Limit: new(6), Cursor: first.Cursor}, activity.Order{})
	refused("no base64", activity.Control{Limit: new(5), Cursor: "!"}, activity.Order{})
	refused("too short", activity.Control{Limit: new(5), Cursor: "AAAA"}, activity.Order{})
	refused("damaged", activity.Control{Limit: new(5), Cursor: "B" + first.Cursor[1:]}, activity.Order{})
	refused("on the stream", activity.Control{Limit: new(5), Cursor: first.Cursor}, activity.Order{At: noon})
	for name, other := range map[string]*activity.Event{"another session": event("", "", "L1_03"),
		"a customer": event(recommendtest.CustomerOfLine1, "", "L1_03")} {
		if name == "another session" {
			other.SessionID += "x"
		}
		other.Control = &activity.Control{Limit: new(5), Cursor: first.Cursor}
		var query *recommend.QueryError
		if a, err := r.Batch(t.Context(), []*activity.Event{other}); !errors.As(err, &query) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	s.Promote(recommendtest.Version("m2"))
	refused("another version", activity.Control{Limit: new(5), Cursor: first.Cursor}, activity.Order{})
}

// TestACursorOfTheLiveVersionFailsNoCanary: it is refused, and the canary stays.
func TestACursorOfTheLiveVersionFailsNoCanary(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	r, e := recommend.New(store), event("", "s", "L1_01")
	e.Control = &activity.Control{Limit: new(5)}
	first, err := r.Batch(t.Context(), []*activity.Event{e})
	if err != nil || first[0].Cursor == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	store.StartExperiment(recommend.Experiment{Name: "all", Share: 1}, recommendtest.Version("m2"))
	e.Control.Cursor = first[0].Cursor
	for range recommend.CanaryErrors + 1 {
		var wrong *recommend.QueryError
		if _, err := r.Batch(t.Context(), []*activity.Event{e}); !errors.As(err, &wrong) {
			t.Fatalf("error %v, want one about the cursor", err)
		}
	}
	if traffic, err := r.Traffic(t.Context()); err != nil || traffic.Canary == nil {
		t.Errorf("the canary has ended: %+v, %v", traffic, err)
	}
}
