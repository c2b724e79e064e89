package recommend_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// withBrands is a store in which each product has one of three brands, and prices from 0 to 19.
func withBrands(t *testing.T) *recommendtest.Store {
	t.Helper()
	s := withNew(t, 3)
	var state recommend.State
	for i, it := range recommendtest.Version("m1").Items {
		state.Products = append(state.Products, activity.ProductWrite{ID: it.Code, Order: activity.Order{At: noon},
			Values: map[activity.Field]any{activity.FieldAvailable: it.QuantityInStock > 0,
				activity.FieldBrand: brandOf(i), activity.FieldPrice: fmt.Sprint(i % 20)}})
	}
	if err := s.WriteState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	return s
}

func brandOf(item int) string { return []string{"a", "a", "b", "a", "c"}[item%5] }

// brands of the products of withBrands.
func brands() map[string]string {
	all := map[string]string{}
	for i, it := range recommendtest.Version("m1").Items {
		all[it.Code] = brandOf(i)
	}
	for n := range 3 {
		all[fmt.Sprint("new ", n)] = "b=c"
	}
	return all
}

// TestAnswersAreArranged: each page keeps its rules, as far as the products go, and shows as many products as
// there are; all pages show every product that matches once.
func TestAnswersAreArranged(t *testing.T) {
	t.Parallel()
	s, of := withBrands(t), brands()
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 15).Draw(rt, "limit")
		control := &activity.Control{Limit: &limit}
		matching := 79
		if rapid.Bool().Draw(rt, "filter") {
			control.Filter, matching = `product.brand != "b"`, 63
		}
		if rapid.Bool().Draw(rt, "boost") {
			control.Boost = []activity.Boost{{Where: `product.price > 10.0`, Factor: 5}}
		}
		most, share := rapid.IntRange(1, 4).Draw(rt, "at most"), rapid.SampledFrom([]float64{0, 0.3, 0.5}).Draw(rt, "share")
		switch rapid.IntRange(0, 2).Draw(rt, "diversity") {
		case 0:
			most = math.MaxInt
		case 1:
			control.Diversity = &activity.Diversity{By: "brand", AtMost: most}
		case 2:
			most, control.Diversity = math.MaxInt, &activity.Diversity{MMR: new(0.6)}
		}
		if share > 0 {
			control.MinShare = []activity.MinShare{{Where: `product.brand == "c"`, Share: share}}
		}
		e := event(rapid.SampledFrom([]string{"", "stranger"}).Draw(rt, "customer"), "",
			rapid.SliceOfN(rapid.SampledFrom([]string{"nothing", "unknown"}), 0, 2).Draw(rt, "history")...)
		e.Control = control
		r := recommend.New(s).Exploring(rapid.SampledFrom([]float64{0, 0.2}).Draw(rt, "explored"))
		seen, left := map[string]bool{}, map[string]int{"a": 48, "b": 16, "c": 16}
		left["a"]-- // L0_00 is out of stock
		if control.Filter != "" {
			left["b"] = 0
		}
		for page := 0; ; page++ {
			answers, err := r.Batch(rt.Context(), []*activity.Event{e})
			if err != nil {
				rt.Fatal(err)
			}
			items, had := answers[0].Items, map[string]int{}
			for _, it := range items {
				if seen[it.ID] || control.Filter != "" && of[it.ID] == "b" {
					rt.Fatalf("page %d: %s is there twice, or does not match", page, it.ID)
				}
				seen[it.ID] = true
				had[of[it.ID]]++
			}
			need := min(int(math.Ceil(share*float64(limit)-1e-9)), left["c"])
			if share > 0 && had["c"] < min(need, len(items)) {
				rt.Fatalf("page %d of %d has %d of brand c, want %d: %v", page, limit, had["c"], need, items)
			}
			room := 0 // how many the brands allow
			for brand, n := range left {
				room += min(n, max(most, map[bool]int{true: need}[brand == "c"]))
			}
			for brand, n := range had {
				if n > most && room >= limit && (brand != "c" || n > need) && brand != "b=c" {
					rt.Fatalf("page %d has %d of brand %s, at most %d are asked for, and %d are left: %v", page, n, brand,
						most, left[brand], items)
				}
				left[brand] -= n
			}
			if answers[0].Cursor == "" {
				break
			}
			e.Control.Cursor = answers[0].Cursor
		}
		known := 0
		for id := range seen {
			if !strings.HasPrefix(id, "new") {
				known++
			}
		}
		if known != matching {
			rt.Fatalf("%d products were shown, %d match", known, matching)
		}
	})
}

// TestAFilterHoldsInFallbacks: a customer who has rated everything gets what matches, and nothing where nothing
// does.
func TestAFilterHoldsInFallbacks(t *testing.T) {
	t.Parallel()
	r := recommend.New(withBrands(t))
	for filter, want := range map[string]int{`product.brand == "c"`: 10, `product.brand == "d"`: 0,
		`product.id in ["L1_00", "L0_00"]`: 1} {
		e := event(recommendtest.CustomerOfAll, "")
		e.Control = &activity.Control{Filter: filter}
		answers, err := r.Batch(t.Context(), []*activity.Event{e})
		if err != nil || len(answers[0].Items) != want || answers[0].Source != activity.SourcePopularity {
			t.Errorf("%s: %+v, %v", filter, answers, err)
		}
	}
	similar, err := r.Similar(t.Context(), "L2_07", nil, &activity.Control{Filter: `product.brand == "c"`, Limit: new(30)})
	if err != nil || len(similar.Items.SimilarItems) != 16 {
		t.Errorf("similar: %+v, %v", similar, err)
	}
}

// TestAWrongExpressionIsNamed in every member.
func TestAWrongExpressionIsNamed(t *testing.T) {
	t.Parallel()
	r := recommend.New(withBrands(t))
	const wrong = `product.colour`
	for place, c := range map[string]activity.Control{"filter": {Filter: wrong},
		"boost[1].where":     {Boost: []activity.Boost{{Where: `product.available`, Factor: 2}, {Where: wrong, Factor: 2}}},
		"min_share[0].where": {MinShare: []activity.MinShare{{Where: wrong, Share: 0.5}}}} {
		e := event("", "")
		e.Control = &c
		var query *recommend.QueryError
		if _, err := r.Batch(t.Context(), []*activity.Event{e}); !errors.As(err, &query) ||
			!strings.HasPrefix(query.Message, place+": column ") {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// TestSameMeaningSameQuery: the hash of a control does not depend on how it is written.
func TestSameMeaningSameQuery(t *testing.T) {
	t.Parallel()
	r := recommend.New(withBrands(t))
	id := func(c activity.Control) string {
		e := event("", "")
		e.Control = &c
		answers, err := r.Batch(t.Context(), []*activity.Event{e})
		if err != nil {
			t.Fatal(err)
		}
		return answers[0].Query
	}
	one := id(activity.Control{Filter: `product.price < 5.0`, Exclude: []activity.ID{"a", "b"}})
	if two := id(activity.Control{Filter: `(product.price<5.00)`, Exclude: []activity.ID{"b", "a", "b"}}); one != two {
		t.Errorf("%s, then %s", one, two)
	}
	if other := id(activity.Control{Filter: `product.price < 6.0`, Exclude: []activity.ID{"a", "b"}}); one == other {
		t.Errorf("two filters are both %s", one)
	}
}
