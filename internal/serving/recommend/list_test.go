package recommend_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// listedShop is a shop with brands, of which each list has products: those of withBrands, what is bought together with
// L1_00, a visitor who looked at everything, and new products.
func listedShop(t *testing.T) (s *recommendtest.Store, members map[string][]string) {
	t.Helper()
	v := recommendtest.Version("m1")
	v.Together = make([][]modelversion.Neighbour, len(v.Items))
	members = map[string][]string{}
	for i, it := range v.Items {
		if i%2 == 0 && it.Code != "L1_00" {
			v.Together[indexOf(v, "L1_00")] = append(v.Together[indexOf(v, "L1_00")], modelversion.Neighbour{Item: int32(i),
				Weight: float32(200 - i)})
			members["together"] = append(members["together"], it.Code)
		}
		members["popular"] = append(members["popular"], it.Code)
	}
	s = recommendtest.NewStore(v)
	now := time.Now()
	var state recommend.State
	for i, it := range v.Items {
		at := activity.Order{At: now.Add(time.Duration(i-1000) * time.Second)}
		state.Products = append(state.Products, activity.ProductWrite{ID: it.Code, Order: at, Values: map[activity.Field]any{
			activity.FieldAvailable: true, activity.FieldBrand: ofBrand(i)}})
		if i > 0 {
			members["new"] = append(members["new"], it.Code)
		}
		if i%3 == 0 {
			members["viewed"] = append(members["viewed"], it.Code)
			state.Visits = append(state.Visits, activity.Visit{EventID: it.Code, Session: "s", Place: at, Order: at,
				Clicks: []activity.Click{{Product: it.Code, Kind: activity.ClickView}}})
		}
	}
	if err := s.WriteState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	return s, members
}

func indexOf(v *modelversion.Version, code string) int {
	return slices.IndexFunc(v.Items, func(it modelversion.Item) bool { return it.Code == code })
}

func ofBrand(i int) string { return []string{"a", "a", "b", "c"}[i%4] }

// TestListsKeepRules: the pages of every list together show each product of it that matches once, and nothing else;
// each page is full while there are more, and has its least share as long as there is enough.
func TestListsKeepRules(t *testing.T) {
	t.Parallel()
	s, members := listedShop(t)
	r := recommend.New(s)
	brands := map[string]string{}
	for i, it := range recommendtest.Version("m1").Items {
		brands[it.Code] = ofBrand(i)
	}
	queries := map[string]recommend.ListQuery{"popular": {List: activity.SourcePopularity},
		"new":      {List: activity.SourceNew},
		"together": {List: activity.SourceTogether, Product: "L1_00"}, "viewed": {List: activity.SourceViewed, Session: "s"}}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"popular", "new", "together", "viewed", "rerank"}).Draw(rt, "list")
		control, want := drawControl(rt, members["popular"], brands)
		ask := func() (recommend.Answer, error) { return r.List(rt.Context(), queries[name], control) }
		all := members[name]
		if name == "rerank" {
			all = rapid.Permutation(members["popular"]).Draw(rt, "products")[:rapid.IntRange(1, 60).Draw(rt, "given")]
			e := event("", "", "L2_07")
			e.Control = control
			ask = func() (recommend.Answer, error) {
				a, err := r.Rerank(rt.Context(), e, all)
				return a.Answer, err
			}
		}
		left := map[string]bool{}
		for _, code := range all {
			left[code] = want(code)
		}
		share := 0.0
		if len(control.MinShare) > 0 {
			share = control.MinShare[0].Share
		}
		checkPages(rt, control, ask, left, brands, share)
	})
}

// TestPlacementsKeepRulesOnLists: a placement with a list and rules answers an event and a question for the list alike,
// page after page, and keeps the rules as the list itself does. Events of one batch do not change each other's answers.
func TestPlacementsKeepRulesOnLists(t *testing.T) {
	t.Parallel()
	s, members := listedShop(t)
	for i, code := range members["popular"] {
		if i%4 == 0 {
			clicks := slices.Repeat([]recommend.Counted{{Event: [16]byte{byte(i)}, Product: code,
				At: time.Now().Add(-time.Second)}}, 2+i)
			if err := s.Count(t.Context(), clicks); err != nil {
				t.Fatal(err)
			}
			members["trending"] = append(members["trending"], code)
		}
	}
	r := recommend.New(s)
	brands := map[string]string{}
	for i, it := range recommendtest.Version("m1").Items {
		brands[it.Code] = ofBrand(i)
	}
	queries := map[recommend.List]recommend.ListQuery{recommend.ListNew: {List: activity.SourceNew},
		recommend.ListTrending: {List: activity.SourceTrending},
		recommend.ListTogether: {List: activity.SourceTogether, Product: "L1_00"},
		recommend.ListViewed:   {List: activity.SourceViewed, Session: "s"}}
	history := append(slices.Clone(members["viewed"]), "L1_00") // so that L1_00 is the newest product
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.SampledFrom([]recommend.List{recommend.ListNew, recommend.ListTrending, recommend.ListTogether,
			recommend.ListViewed}).Draw(rt, "list")
		control, want := drawControl(rt, members["popular"], brands)
		s.Place(map[string]recommend.Placement{"strip": {List: list, Limit: control.Limit, Filter: control.Filter,
			Boost: control.Boost, Diversity: control.Diversity, MinShare: control.MinShare, Exclude: control.Exclude},
			"other": {List: list, Boost: []activity.Boost{{Where: `product.brand == "a"`, Factor: 2}}}})
		seen := history
		if list == recommend.ListViewed {
			seen = members["viewed"]
		}
		left := map[string]bool{}
		for _, code := range members[strings.TrimPrefix(strings.TrimPrefix(string(list), "bought-"), "recently-")] {
			left[code] = want(code)
		}
		share := 0.0
		if len(control.MinShare) > 0 {
			share = control.MinShare[0].Share
		}
		paged, cursor := activity.Control{Limit: control.Limit}, ""
		checkPages(rt, &paged, func() (recommend.Answer, error) {
			of, beside := event("", "", seen...), event("", "", "L2_03", "L1_00", "L3_05")
			of.Control = &activity.Control{Placement: "strip", Cursor: paged.Cursor}
			beside.Control = &activity.Control{Placements: []string{"other", "strip"}}
			answers, err := r.Batch(rt.Context(), []*activity.Event{beside, of})
			if err != nil {
				return recommend.Answer{}, err
			}
			over, err := r.List(rt.Context(), queries[list], &activity.Control{Placement: "strip", Cursor: cursor})
			if cursor = over.Cursor; err != nil {
				return recommend.Answer{}, err
			}
			for i, it := range answers[1].Items {
				if i >= len(over.Items) || it.ID != over.Items[i].ID || it.Rank != over.Items[i].Rank {
					rt.Fatalf("%s: the strip has\n%+v, the list\n%+v", list, answers[1].Items, over.Items)
				}
			}
			return answers[1], nil
		}, left, brands, share)
	})
}

// drawControl draws the rules of a question; want says which products it may have.
func drawControl(t *rapid.T, codes []string, brands map[string]string) (c *activity.Control, want func(string) bool) {
	c = &activity.Control{Limit: new(rapid.IntRange(1, 30).Draw(t, "limit"))}
	exclude := rapid.SliceOfN(rapid.SampledFrom(codes), 0, 20).Draw(t, "exclude")
	for _, code := range exclude {
		c.Exclude = append(c.Exclude, activity.ID(code))
	}
	brand := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "not")
	if brand != "" {
		c.Filter = fmt.Sprintf(`product.brand != %q`, brand)
	}
	if rapid.Bool().Draw(t, "boosted") {
		c.Boost = []activity.Boost{{Where: `product.brand == "c"`, Factor: 3}}
	}
	switch rapid.IntRange(0, 2).Draw(t, "diversity") {
	case 0:
		c.Diversity = &activity.Diversity{By: "brand", AtMost: 3}
	case 1:
		c.Diversity = &activity.Diversity{MMR: new(0.5)}
	}
	if share := rapid.SampledFrom([]float64{0, 0.3, 0.6}).Draw(t, "share"); share > 0 {
		c.MinShare = []activity.MinShare{{Where: `product.brand == "c"`, Share: share}}
	}
	return c, func(code string) bool {
		return !slices.Contains(exclude, code) && (brand == "" || brands[code] != brand)
	}
}

// checkPages asks for page after page, of the products that are left.
func checkPages(t *rapid.T, c *activity.Control, ask func() (recommend.Answer, error), left map[string]bool,
	brands map[string]string, share float64) {
	count := func(brand string) (n int) {
		for code, is := range left {
			if is && (brand == "" || brands[code] == brand) {
				n++
			}
		}
		return n
	}
	for page := 0; ; page++ {
		a, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		full, need := min(*c.Limit, count("")), min(int(math.Ceil(share*float64(*c.Limit)-1e-9)), count("c"))
		had := 0
		for _, it := range a.Items {
			if !left[it.ID] {
				t.Fatalf("page %d: %s is there twice, or does not match", page, it.ID)
			}
			if left[it.ID] = false; brands[it.ID] == "c" {
				had++
			}
		}
		if len(a.Items) != full || had < min(need, len(a.Items)) || (a.Cursor != "") != (count("") > 0) {
			t.Fatalf("page %d has %d products of %d, %d of brand c of %d, and the cursor %q", page, len(a.Items), full, had,
				need, a.Cursor)
		}
		if a.Cursor == "" {
			return
		}
		c.Cursor = a.Cursor
	}
}

// TestBoostsMoveProductsOfLists: also of those that are in the order of a time, whose scores stay unsaid.
func TestBoostsMoveProductsOfLists(t *testing.T) {
	t.Parallel()
	s, members := listedShop(t)
	r := recommend.New(s)
	newest := members["new"][len(members["new"])-1]
	oldest := members["new"][0]
	for _, test := range []struct {
		factor float64
		first  string
	}{{2, newest}, {10, members["new"][len(members["new"])-5]}} {
		boosted := fmt.Sprintf(`product.id in [%q, %q]`, oldest, members["new"][len(members["new"])-5])
		a, err := r.List(t.Context(), recommend.ListQuery{List: activity.SourceNew}, &activity.Control{
			Boost: []activity.Boost{{Where: boosted, Factor: test.factor}}})
		if err != nil || a.Items[0].ID != test.first || a.Items[0].Score != 0 {
			t.Errorf("by %g: %+v, %v, want %s", test.factor, a.Items, err, test.first)
		}
	}
}

// TestACursorOfAListIsOfThisList: and a list without a control has none.
func TestACursorOfAListIsOfThisList(t *testing.T) {
	t.Parallel()
	s, _ := listedShop(t)
	r := recommend.New(s)
	ask := func(q recommend.ListQuery, c *activity.Control) (recommend.Answer, error) {
		return r.List(t.Context(), q, c)
	}
	first, err := ask(recommend.ListQuery{List: activity.SourceNew}, &activity.Control{Limit: new(3)})
	if err != nil || first.Cursor == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, q := range []recommend.ListQuery{{List: activity.SourcePopularity}, {List: activity.SourceViewed, Session: "s"},
		{List: activity.SourceTogether, Product: "L1_00"}} {
		var query *recommend.QueryError
		if a, err := ask(q, &activity.Control{Limit: new(3), Cursor: first.Cursor}); !errors.As(err, &query) ||
			!strings.Contains(query.Message, "cursor") {
			t.Errorf("%s: %+v, %v", q.List, a, err)
		}
		if a, err := ask(q, nil); err != nil || a.Cursor != "" || len(a.Items) != 10 {
			t.Errorf("%s without a control: %+v, %v", q.List, a, err)
		}
	}
}
