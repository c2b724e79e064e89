package recommend_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// anyPlacement draws a sound one.
func anyPlacement(t *rapid.T, i int) recommend.Placement {
	draw := func(name string) bool { return rapid.Bool().Draw(t, fmt.Sprintf("%s %d", name, i)) }
	p := recommend.Placement{List: rapid.SampledFrom([]recommend.List{"", recommend.ListRecommended,
		recommend.ListPopular, recommend.ListSimilar, recommend.ListTrending, recommend.ListNew, recommend.ListTogether,
		recommend.ListViewed}).Draw(t, fmt.Sprint("list ", i))}
	if draw("limited") {
		p.Limit = new(rapid.IntRange(1, 15).Draw(t, fmt.Sprint("limit ", i)))
	}
	if draw("excludes") {
		p.Exclude = []activity.ID{"L1_04", "L2_01"}
	}
	if draw("filters") {
		p.Filter = rapid.SampledFrom([]string{`product.id.startsWith("L1")`, `product.id < "L2_05"`,
			`product.available`}).Draw(t, fmt.Sprint("filter ", i))
	}
	if draw("boosts") {
		p.Boost = []activity.Boost{{Where: `product.id > "L1_03"`, Factor: 3}}
	}
	if p.List == recommend.ListSimilar {
		return p
	}
	if draw("diverse") {
		p.Diversity = &activity.Diversity{MMR: new(0.5)}
	}
	if draw("shares") {
		p.MinShare = []activity.MinShare{{Where: `product.id.startsWith("L3")`, Share: 0.3}}
	}
	return p
}

// TestStripsOfAPageShowNoProductTwice: whatever the rules, each strip has what its placement alone would show, but
// for the products of the strips before it. Another attempt at the event gets the same.
func TestStripsOfAPageShowNoProductTwice(t *testing.T) {
	t.Parallel()
	v := recommendtest.Version("m1")
	var all []string
	for _, it := range v.Items {
		all = append(all, it.Code)
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := withNew(t, rapid.IntRange(0, 12).Draw(rt, "new"))
		byName, names := map[string]recommend.Placement{}, []string{}
		for i := range rapid.IntRange(1, activity.MaxPlacements).Draw(rt, "strips") {
			names = append(names, fmt.Sprintf("place-%d", i))
			if byName[names[i]] = anyPlacement(rt, i); byName[names[i]].Problem() != "" {
				rt.Fatal(byName[names[i]].Problem())
			}
		}
		s.Place(byName)
		e := event(rapid.SampledFrom([]string{"", recommendtest.CustomerOfLine1, "stranger"}).Draw(rt, "customer"), "",
			rapid.SliceOfN(rapid.SampledFrom(all), 0, 5).Draw(rt, "history")...)
		e.EventID = "e-1"
		share := rapid.SampledFrom([]float64{0, 0.3}).Draw(rt, "share")
		ask := func(c activity.Control) recommend.Answer {
			of := *e
			of.Control = &c
			answers, err := recommend.New(s).Exploring(share).Batch(rt.Context(), []*activity.Event{&of})
			if err != nil {
				rt.Fatal(err)
			}
			return answers[0]
		}
		page := activity.Control{Placements: names}
		answer := ask(page)
		mustShowOnce(rt, ask, names, byName, append([]recommend.Answer{answer}, answer.More...), share)
		for i, again := range ask(page).Records(nil, e, activity.Position{}, noon) {
			was := answer.Records(nil, e, activity.Position{}, noon)[i]
			if again.Recommendation.ID != was.Recommendation.ID || !slices.Equal(again.RecommendedItems, was.RecommendedItems) {
				rt.Fatalf("the second attempt at %s: %+v, not %+v", names[i], again, was)
			}
		}
	})
}

// mustShowOnce looks at the strips of a page.
func mustShowOnce(t *rapid.T, ask func(activity.Control) recommend.Answer, names []string,
	byName map[string]recommend.Placement, strips []recommend.Answer, share float64) {
	if len(strips) != len(names) {
		t.Fatalf("%d strips for %d placements", len(strips), len(names))
	}
	taken, ids := map[string]bool{}, map[string]bool{}
	for i, strip := range strips {
		p := byName[names[i]]
		limit := 10
		if p.List == recommend.ListSimilar {
			limit = 5
		}
		if p.Limit != nil {
			limit = *p.Limit
		}
		got := codes(strip)
		if strip.Placement != names[i] || len(strip.Query) != 16 || len(got) > limit {
			t.Fatalf("strip %d is of %q, query %q, with %d of %d products", i, strip.Placement, strip.Query, len(got), limit)
		}
		if id := activity.RecommendationID("e-1", names[i]); ids[id] {
			t.Fatalf("%s has an id of another strip", names[i])
		} else {
			ids[id] = true
		}
		alone := ask(activity.Control{Placement: names[i], Limit: new(activity.MaxAnswer)})
		var want []string
		for _, it := range alone.Items {
			if !taken[it.ID] && len(want) < limit {
				want = append(want, it.ID)
			}
		}
		if p.Diversity == nil && p.MinShare == nil && share == 0 && len(want) > 0 && !slices.Equal(got, want) {
			t.Fatalf("%s, %+v, shows\n%v, not\n%v", names[i], p, got, want)
		}
		if len(got) < min(limit, len(want)) {
			t.Fatalf("%s shows %d products of %d", names[i], len(got), len(want))
		}
		for at, it := range strip.Items {
			if taken[it.ID] || slices.Contains(p.Exclude, activity.ID(it.ID)) {
				t.Fatalf("%s shows %s, which the page has or the placement leaves out", names[i], it.ID)
			}
			if it.Explored != (it.Propensity > 0) || it.Propensity > 1 || it.Rank == at+1 {
				t.Fatalf("%s shows %+v at place %d", names[i], it, at+1)
			}
			taken[it.ID] = true
		}
	}
}

// TestAQuestionWinsOverItsPlacement, but filters and exclusions count both.
func TestAQuestionWinsOverItsPlacement(t *testing.T) {
	t.Parallel()
	s := recommendtest.NewStore(recommendtest.Version("m1"))
	s.Place(map[string]recommend.Placement{"home": {Limit: new(3), Filter: `product.id.startsWith("L1")`,
		Exclude: []activity.ID{"L1_01"}, Fields: []activity.Field{"name"}}, "alike": {List: recommend.ListSimilar}})
	r := recommend.New(s)
	ask := func(c activity.Control) (recommend.Answer, error) {
		e := event("", "")
		e.Control = &c
		answers, err := r.Batch(t.Context(), []*activity.Event{e})
		if err != nil {
			return recommend.Answer{}, err
		}
		return answers[0], nil
	}
	own, err := ask(activity.Control{Placement: "home"})
	if err != nil || !slices.Equal(codes(own), []string{"L1_00", "L1_02", "L1_03"}) || len(own.Fields) != 1 {
		t.Errorf("home: %v, %v, fields %v", codes(own), err, own.Fields)
	}
	both, err := ask(activity.Control{Placement: "home", Limit: new(2), Exclude: []activity.ID{"L1_02"},
		Filter: `product.id != "L1_00"`, Fields: []activity.Field{"price"}})
	if err != nil || !slices.Equal(codes(both), []string{"L1_03", "L1_04"}) || both.Fields[0] != "price" ||
		both.Query == own.Query {
		t.Errorf("home with more: %v, %v, fields %v", codes(both), err, both.Fields)
	}
	if next, err := ask(activity.Control{Placement: "home", Cursor: own.Cursor}); err != nil || len(next.Items) != 3 ||
		next.Items[0].ID != "L1_04" || next.Items[0].Rank != 0 {
		t.Errorf("the next page of home: %+v, %v", next.Items, err)
	}
	for want, c := range map[string]activity.Control{
		"placement is none of the placements, which are alike, home": {Placement: "shelf"},
		"placements[1] is none of the placements":                    {Placements: []string{"home", "shelf"}},
		"diversity does not apply to the list similar": {Placement: "alike",
			Diversity: &activity.Diversity{MMR: new(0.5)}},
		"cursor does not apply to the list similar": {Placement: "alike", Cursor: own.Cursor},
		"filter: column": {Placement: "home", Filter: "product.colour == 3"},
	} {
		var refused *recommend.QueryError
		if _, err := ask(c); !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	s.Place(nil)
	if _, err := ask(activity.Control{Placement: "home"}); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("without placements: %v", err)
	}
}

// TestListsOfOneQuestionMayBePlaced: a question for similar products takes a placement with that list, and no other.
func TestListsOfOneQuestionMayBePlaced(t *testing.T) {
	t.Parallel()
	s := recommendtest.NewStore(recommendtest.Version("m1"))
	s.Place(map[string]recommend.Placement{"home": {}, "alike": {List: recommend.ListSimilar, Limit: new(2),
		Filter: `product.id.startsWith("L2")`}, "top": {List: recommend.ListPopular, Limit: new(2),
		Filter: `product.id.startsWith("L2")`}})
	r := recommend.New(s)
	a, err := r.Similar(t.Context(), "L1_03", nil, &activity.Control{Placement: "alike"})
	if err != nil || len(a.Items.SimilarItems) != 2 || !strings.HasPrefix(a.Items.SimilarItems[0].ID, "L2") ||
		a.Placement != "alike" {
		t.Errorf("similar: %+v, %v", a, err)
	}
	var refused *recommend.QueryError
	top, err := r.List(t.Context(), recommend.ListQuery{List: activity.SourcePopularity},
		&activity.Control{Placement: "top"})
	if err != nil || !slices.Equal(codes(top), []string{"L2_00", "L2_01"}) || top.Placement != "top" {
		t.Errorf("popular: %v, %v", codes(top), err)
	}
	if _, err := r.Similar(t.Context(), "L1_03", nil, &activity.Control{Placement: "home"}); !errors.As(err, &refused) ||
		!strings.HasPrefix(refused.Message, "placement has the list recommended, and not similar") {
		t.Errorf("similar at home: %v", err)
	}
	e := event("", "", "L1_03")
	e.Control = &activity.Control{Placement: "alike"}
	if _, err := r.Rerank(t.Context(), e, []string{"L1_01"}); !errors.As(err, &refused) {
		t.Errorf("reranked at a placement: %v", err)
	}
}
