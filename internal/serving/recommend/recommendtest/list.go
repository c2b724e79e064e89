package recommendtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// testTrends counts clicks that come twice and in any order: the scores are those of recommend.Trend. A burst is
// found, and forgotten.
func testTrends(t *testing.T, s Conformer) {
	t.Parallel()
	v, now := gridVersion(1), time.Now().Truncate(time.Microsecond)
	var products []string // that can be bought
	for _, it := range v.Items {
		if it.QuantityInStock > 0 {
			products = append(products, it.Code)
		}
	}
	event := 0
	click := func(product string, ago time.Duration) (c recommend.Counted) {
		event++
		c = recommend.Counted{Product: product, At: now.Add(-ago)}
		copy(c.Event[:], fmt.Sprintf("%016d", event))
		return c
	}
	type sums struct{ lately, usually float64 }
	want, total := map[string]sums{}, sums{}
	var clicks []recommend.Counted
	for i := range 600 { // one each 5 seconds, of all products alike
		clicks = append(clicks, click(products[i%len(products)], time.Duration(i)*5*time.Second))
	}
	burst := products[7]
	for i := range 30 { // and in the last 5 minutes one each 10 seconds of one product
		clicks = append(clicks, click(burst, time.Duration(i)*10*time.Second))
	}
	for _, c := range clicks {
		age := now.Sub(c.At).Seconds()
		lately := math.Exp2(-age / recommend.TrendHalfLife.Seconds())
		usually := math.Exp2(-age / recommend.UsualHalfLife.Seconds())
		want[c.Product] = sums{want[c.Product].lately + lately, want[c.Product].usually + usually}
		total = sums{total.lately + lately, total.usually + usually}
	}
	tooOld := click(products[9], recommend.CountedFor+time.Second)
	for _, part := range [][]recommend.Counted{clicks[300:], clicks[:400], {tooOld}, clicks[:7], clicks[590:]} {
		if err := s.Count(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(after time.Duration, exclude ...string) []recommend.Listed {
		found, err := s.List(t.Context(), mustModel(t, s), recommend.ListQuery{List: activity.SourceTrending, Limit: 1000,
			At: now.Add(after), Exclude: exclude})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	found := ask(0)
	if len(found) == 0 || found[0].Code != burst {
		t.Fatalf("a burst of 5 minutes is not the first of %v", found)
	}
	for _, it := range found {
		x := want[it.Code]
		score := recommend.Trend(x.lately, x.usually, total.lately, total.usually)
		if math.Abs(score-float64(it.Score)) > 1e-3 {
			t.Errorf("%s: %g, want %g", it.Code, it.Score, score)
		}
	}
	for _, it := range ask(0, burst) {
		if it.Code == burst {
			t.Error("what is to be left out is there")
		}
	}
	for _, it := range ask(3 * time.Hour) {
		t.Errorf("after 3 hours without a click, %v trends", it)
	}
	if err := s.WriteState(t.Context(), recommend.State{Products: []activity.ProductWrite{{ID: burst,
		Order:  activity.Order{At: now, Sequence: "1"},
		Values: map[activity.Field]any{activity.FieldAvailable: false}}}}); err != nil {
		t.Fatal(err)
	}
	for _, it := range ask(0) {
		if it.Code == burst {
			t.Error("what cannot be bought trends")
		}
	}
}

// testListOfNew: what came after the first reading of the shop is new, the newest first, if it can be bought.
func testListOfNew(t *testing.T, s Conformer) {
	t.Parallel()
	v, at := gridVersion(1), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	write := func(id string, after time.Duration, available any) activity.ProductWrite {
		return activity.ProductWrite{ID: id, Order: activity.Order{At: at.Add(after), Sequence: "1"},
			Values: map[activity.Field]any{activity.FieldAvailable: available}}
	}
	if err := s.WriteState(t.Context(), recommend.State{Products: []activity.ProductWrite{
		write(v.Items[3].Code, 0, true), write("b", time.Hour, true), write("a", time.Hour, true),
		write("gone", 2*time.Hour, false), write("later", 3*time.Hour, true), write("left out", 4*time.Hour, true),
		write("nobody knows", 5*time.Hour, nil)}}); err != nil {
		t.Fatal(err)
	}
	found, err := s.List(t.Context(), mustModel(t, s), recommend.ListQuery{List: activity.SourceNew, Limit: 3,
		Exclude: []string{"left out"}})
	if err != nil || len(found) != 3 || found[0].Code != "later" || found[1].Code != "a" || found[2].Code != "b" {
		t.Errorf("%v, %v", found, err)
	}
}

// testTogether: what a version says is bought together with a product, the most first, if it can be bought.
func testTogether(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	v := gridVersion(3)
	v.Together = make([][]modelversion.Neighbour, len(v.Items))
	v.Together[5] = []modelversion.Neighbour{{Item: 1, Weight: 2}, {Item: 3, Weight: 5}, {Item: 7, Weight: 4},
		{Item: 9, Weight: 3}}
	for i := range v.Items {
		v.Items[i].QuantityInStock = 1
	}
	v.Items[7].QuantityInStock = 0
	s := open(t, Setup{Live: v})
	ask := func(code string) ([]recommend.Listed, error) {
		return s.List(t.Context(), mustModel(t, s), recommend.ListQuery{List: activity.SourceTogether, Product: code,
			Limit: 2, Exclude: []string{v.Items[9].Code}})
	}
	want := []recommend.Listed{{Code: v.Items[3].Code, Score: 5}, {Code: v.Items[1].Code, Score: 2}}
	if found, err := ask(v.Items[5].Code); err != nil || !sameListed(found, want) {
		t.Errorf("%v, %v, want %v", found, err, want)
	}
	if found, err := ask(v.Items[6].Code); err != nil || len(found) > 0 {
		t.Errorf("with a product that is bought alone: %v, %v", found, err)
	}
	if found, err := ask("unknown"); !errors.Is(err, recommend.ErrUnknownProduct) {
		t.Errorf("with an unknown product: %v, %v", found, err)
	}
}

// sameListed compares products and scores.
func sameListed(a, b []recommend.Listed) bool {
	return slices.EqualFunc(a, b, func(a, b recommend.Listed) bool { return a.Code == b.Code && a.Score == b.Score })
}
