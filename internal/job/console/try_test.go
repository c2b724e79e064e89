package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/job/console/plot"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
	"kindred/internal/serving/vectorstore"
)

// TestWhatMovedIsTold compares two answers: each offer has its place in the other one, and what only the other one
// has is named once, in its order.
func TestWhatMovedIsTold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		answers := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-h]`), 0, 8, rapid.ID[string])
		list := func(name string) (offers []offer, ids []string) {
			ids = answers.Draw(t, name)
			for i, id := range ids {
				offers = append(offers, offer{Sight: vectorstore.Sight{ID: id}, Place: i + 1})
			}
			return offers, ids
		}
		now, ids := list("now")
		before, earlier := list("before")
		var want []string
		for _, id := range earlier {
			if !slices.Contains(ids, id) {
				want = append(want, id)
			}
		}
		var gone []string
		for _, o := range moved(now, before) {
			gone = append(gone, o.ID)
		}
		if !slices.Equal(gone, want) {
			t.Fatalf("%v are gone, want %v", gone, want)
		}
		for _, o := range now {
			if o.Before != slices.Index(earlier, o.ID)+1 {
				t.Fatalf("%s was at place %d of %v", o.ID, o.Before, earlier)
			}
		}
	})
}

// TestWishesAreWhatTheFormSays sends wishes through an address and back, and makes a control of them that is
// either right or refused with a sentence.
func TestWishesAreWhatTheFormSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", `"a&b" in product.categories`, `product.price < 20.0`, "home"})
		w := wishes{Placement: text.Draw(t, "placement"), Filter: text.Draw(t, "filter"), Where: text.Draw(t, "where"),
			Factor: rapid.SampledFrom([]string{"", "2", "0.1", "11", "-1", "NaN", "much"}).Draw(t, "factor")}
		link, err := url.Parse(w.Link("c&1"))
		if err != nil {
			t.Fatal(err)
		}
		if back := wishesOf(link.Query()); back != w || link.Query().Get("id") != "c&1" {
			t.Fatalf("%+v came back as %+v", w, back)
		}
		control, err := w.control()
		named := w.Placement == "" || w.Placement == "home"
		factor := w.Where == "" || w.Factor == "2" || w.Factor == "0.1"
		if (err == nil) != (named && factor) {
			t.Fatalf("%+v: %+v, %v", w, control, err)
		}
		if err == nil && control.Problem() != "" {
			t.Fatalf("%+v: %s", w, control.Problem())
		}
	})
}

func TestFiltersOfPlacementAndWishesBothCount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ placed, wished string }{
		{"", ""}, {"product.price < 3.0", ""}, {"", "product.price > 1.0"},
		{"product.price < 3.0 || product.price > 4.0", "product.price > 1.0 || product.price < 0.5"}} {
		filter := wishes{Filter: tc.wished}.hiding(recommend.Placement{Filter: tc.placed}).Filter
		for price := rule.Decimal(0); price < 60_000; price += 2_500 {
			p := &rule.Product{ID: "p", Price: &price}
			want := matches(t, tc.placed, p) && matches(t, tc.wished, p)
			if got := matches(t, filter, p); got != want {
				t.Errorf("%q and %q: %q is %v for %s", tc.placed, tc.wished, filter, got, price)
			}
		}
	}
}

func matches(t *testing.T, text string, p *rule.Product) bool {
	t.Helper()
	if text == "" {
		return true
	}
	e, err := rule.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return e.Match(p)
}

// TestAStackStaysWithinItsBar draws parts of any sign and size.
func TestAStackStaysWithinItsBar(t *testing.T) {
	t.Parallel()
	drawn := regexp.MustCompile(`class="part-\d" x="([^%]+)%" y="4" width="([^%]+)%"`)
	rapid.Check(t, func(t *rapid.T) {
		b := plot.Stack{Parts: rapid.SliceOf(rapid.Float64Range(-5, 5)).Draw(t, "parts"),
			Scale: rapid.Float64Range(0, 10).Draw(t, "scale")}
		end := 0.0
		for _, found := range drawn.FindAllStringSubmatch(string(b.SVG()), -1) {
			at, _ := strconv.ParseFloat(found[1], 64)
			wide, err := strconv.ParseFloat(found[2], 64)
			if err != nil || at < end-0.02 || wide < 0 || at+wide > 100.02 {
				t.Fatalf("a part begins at %s and is %s wide, after one that ends at %g", found[1], found[2], end)
			}
			end = at + wide
		}
	})
}

// TestAnswersAreShownWithWhatTheyAreMadeOf renders the pages that need a database, from answers that are given.
func TestAnswersAreShownWithWhatTheyAreMadeOf(t *testing.T) {
	t.Parallel()
	b := mustShow(t, folders(t))
	offers := []offer{
		{Sight: vectorstore.Sight{ID: "p1", Name: "One <1>"}, Score: 0.75, Place: 1, Before: 3, Because: "Two",
			Parts: partsOf(recommend.Explanation{Customer: 0.5, Boosts: 0.25})},
		{Sight: vectorstore.Sight{ID: "p2", Name: "Two"}, Score: 0.5, Place: 2, Explored: true}}
	answer := shownAnswer{Offers: offers, Source: "customer", Version: "m1"}
	w := wishes{Filter: `product.price < 20.0`, Where: "product.available", Factor: "2"}
	for _, tc := range []struct {
		template string
		body     any
		want     []string
	}{
		{"customer.html", customerPage{ID: "c&1", Origin: "Known.", Answer: answer, Why: &whyNot{"p9", "Nine", "Because."},
			Try: tried{wishes: w, Names: []string{"home", "cart"}, Rules: "{}", Examples: []wishes{w}, Answer: &answer,
				Gone: []offer{{Sight: vectorstore.Sight{Name: "Three"}, Place: 7, Hidden: true}}}},
			[]string{"0.75 = their taste 0.5 + boosts 0.25", "because of Two", "One <1>", "▲ 3", "came in", "new",
				"Three , before at place 7: a filter hides it", "only product.price < 20.0, product.available × 2",
				"The rules of the placement", "Nine : Because."}},
		{"customer.html", customerPage{Answer: answer, Try: tried{wishes: w, Problem: "Column 3: no."}},
			[]string{"Column 3: no.", "none is published"}},
		{"compare.html", comparePage{ID: "c&1", Versions: []string{"m1", "m2"}, Shared: 1, Sides: []side{
			{Version: "m1", Answer: answer, Offers: offers}, {Version: "m2", Answer: answer, Offers: offers}}},
			[]string{"1 of the first ten are the same", "place 3", "not among the first 2", "not measured"}},
		{"compare.html", comparePage{Some: []string{"103"}, Sides: []side{{Version: "m1"}, {Version: "m2"}}},
			[]string{"Some customers: 103"}},
		{"map.html", drawnMap(), []string{"The 3 products that most customers like", "A, toys", "25 %", "toys 2",
			"none is known 1"}},
		{"map.html", mapPage{Version: "m1"}, []string{"has no map"}},
		{"version.html", versionPage{Version: vectorstore.Version{ID: "m1"}, MayMeasure: true, Curve: &measured{
			RecallCurve: vectorstore.RecallCurve{Questions: 50, Used: 100, CutShort: true, Points: []vectorstore.RecallPoint{
				{Recall: 1, Each: 3 * time.Millisecond}, {EFSearch: 100, Recall: 0.987, Each: 400 * time.Microsecond}}}}},
			[]string{"100, as served 0.987 0.40 exact scan 1.000 3.00", "50 questions", "The time was over", "Measure again"}},
	} {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		b.server.render(recorder, request, http.StatusOK, tc.template, page{Body: tc.body})
		shown := plain(recorder.Body.String())
		for _, want := range tc.want {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: %q is not in %s", tc.template, want, shown)
			}
		}
	}
}

func drawnMap() mapPage {
	p := mapPage{Version: "m1", Shares: [2]float64{0.25, 0.125}, Drawn: 3}
	p.draw([]vectorstore.Mapped{{ID: "a", Name: "A", Category: "toys", X: 1, Y: 0.5}, {ID: "b", X: 2, Y: 0.25},
		{ID: "c&d", Name: "C", Category: "toys", X: 3}}, []string{"c&d", "a"})
	return p
}

// TestTheLargestCategoriesHaveColours draws products of any categories: all are counted once, the largest category
// first, and only so many have a colour of their own.
func TestTheLargestCategoriesHaveColours(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var products []vectorstore.Mapped
		for i, category := range rapid.SliceOf(rapid.StringMatching(`[a-i]?`)).Draw(t, "categories") {
			products = append(products, vectorstore.Mapped{ID: strconv.Itoa(i), Category: category})
		}
		all, counted, classes := groups(products), 0, map[string]int{}
		for i, g := range all {
			counted += g.Count
			classes[g.Class]++
			if i > 0 && g.Count > all[i-1].Count || len(g.Liked) != min(g.Count, namedOfAGroup) ||
				g.Liked[0].Category != g.Name {
				t.Fatalf("the groups are %+v", all)
			}
		}
		for class, n := range classes {
			if n > 1 && class != "dim-"+strconv.Itoa(colouredGroups) {
				t.Fatalf("%d groups have the colour %s", n, class)
			}
		}
		if counted != len(products) {
			t.Fatalf("%d of %d products are counted", counted, len(products))
		}
	})
}
