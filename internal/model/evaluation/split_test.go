package evaluation

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// history gives customer n ratings, of products 0 to n-1 at the given times or none.
func history(customer int32, times ...int64) []Rating {
	var ratings []Rating
	for p, at := range times {
		ratings = append(ratings, Rating{Customer: customer, Product: int32(p), Stars: 5, RatedAt: at})
	}
	return ratings
}

func products(ratings []Rating, customer int32) (list []int32) {
	for _, r := range ratings {
		if r.Customer == customer {
			list = append(list, r.Product)
		}
	}
	slices.Sort(list)
	return list
}

func TestSplitByTime(t *testing.T) {
	t.Parallel()
	ratings := slices.Concat(
		history(1, 10, 90, 30, 40, 50, 60, 70, 80, 20, 10), // ten: the two latest are products 1 and 7
		history(2, 5, 5, 5),                       // one basket is no order
		history(3, 1, 2),                          // too few
		history(4, 4, 3, 2, 1),                    // fewer than five: one is held out all the same
		history(5, 1, 2, 9, 9, 9),                 // the last basket is more than a fifth
		history(6, 1, 2, 2),                       // too few before the last basket
		history(7, 1, 1, 1, 1, 1, 1, 8, 9, 9, 10), // two of ten: with the basket before, the last would be three
		history(8, 1, 1, 1, 1, 1, 1, 1, 1, 9, 10), // two of ten
	)
	before := slices.Clone(ratings)
	c := Split(ratings, 1)
	for customer, want := range map[int32][]int32{1: {1, 7}, 2: nil, 3: nil, 4: {0}, 5: {2, 3, 4}, 6: nil,
		7: {9}, 8: {8, 9}} {
		if got := products(c.Held, customer); !slices.Equal(got, want) {
			t.Errorf("customer %d: held out %v, want %v", customer, got, want)
		}
	}
	if len(c.Train)+len(c.Held) != len(ratings) || !reflect.DeepEqual(ratings, before) {
		t.Error("ratings were lost or the input was changed")
	}
	if !strings.Contains(c.Name, "by time") || !strings.Contains(c.Name, "; 1 customers with a single basket") ||
		strings.Contains(c.Name, "seed") {
		t.Errorf("the split is called %q", c.Name)
	}
	if want := float64(2+3+3+2+6+2+8) / float64(len(ratings)); c.Ties != want {
		t.Errorf("%g of the ratings are tied, want %g", c.Ties, want)
	}
}

func TestSplitWithoutTimesDraws(t *testing.T) {
	t.Parallel()
	ratings := append(history(1, make([]int64, 20)...), history(2, 1, 2, 3, 0, 5)...)
	c := Split(ratings, 1)
	if len(products(c.Held, 1)) != 4 || len(products(c.Held, 2)) != 1 || !strings.Contains(c.Name, "times are missing") ||
		c.Ties != 0 {
		t.Errorf("held out %v and %v, split %q, ties %g", products(c.Held, 1), products(c.Held, 2), c.Name, c.Ties)
	}
	slices.Reverse(ratings)
	again := Split(append(ratings, history(3, 0, 0, 0)...), 1)
	if !slices.Equal(products(c.Held, 1), products(again.Held, 1)) {
		t.Error("another order and another customer change what is held out")
	}
	if other := Split(ratings, 2); slices.Equal(products(c.Held, 1), products(other.Held, 1)) {
		t.Error("another seed holds out the same")
	}
	mixed := Split(append(history(1, 0, 0, 0), history(2, 1, 2, 3)...), 1)
	if !strings.Contains(mixed.Name, "1 of 2 customers") {
		t.Errorf("the mixed split is called %q", mixed.Name)
	}
}

// TestSplitOfOneTimeDraws: an import that stamps all ratings with its own time leaves no order, and
// an early customer who came back does not change that.
func TestSplitOfOneTimeDraws(t *testing.T) {
	t.Parallel()
	var ratings []Rating
	for customer := range int32(20) {
		ratings = append(ratings, history(customer, slices.Repeat([]int64{1700000000}, 10)...)...)
	}
	for _, more := range [][]Rating{nil, history(99, 1, 2, 3)} {
		c := Split(slices.Concat(ratings, more), 1)
		for customer := range int32(20) {
			if n := len(products(c.Held, customer)); n != 2 {
				t.Errorf("customer %d: %d held out, want 2 of 10", customer, n)
			}
		}
		if !strings.Contains(c.Name, "drawn by seed") || c.Ties < 0.9 {
			t.Errorf("the split is called %q, %g tied", c.Name, c.Ties)
		}
	}
	for customer := range int32(3) { // three of twenty-three have an order: they are tested, the others are not
		ratings = append(ratings, history(100+customer, 1, 2, 3)...)
	}
	if c := Split(ratings, 1); len(c.Held) != 3 || !strings.Contains(c.Name, "; 20 customers with a single basket") {
		t.Errorf("held out %d, split %q", len(c.Held), c.Name)
	}
}

// TestSplitNeverCutsABasket draws shops with few different times.
func TestSplitNeverCutsABasket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var ratings []Rating
		for customer := range rapid.Int32Range(1, 12).Draw(t, "customers") {
			times := rapid.SliceOfN(rapid.Int64Range(1, 6), 0, 20).Draw(t, "times")
			if len(times) > 1 {
				times[0], times[1] = 1, 2 // nobody has a single basket
			}
			ratings = append(ratings, history(customer, times...)...)
		}
		c := Split(ratings, 1)
		last, kept := map[int32]int64{}, map[int32]int{}
		for _, r := range c.Train {
			last[r.Customer] = max(last[r.Customer], r.RatedAt)
			kept[r.Customer]++
		}
		if len(c.Train)+len(c.Held) != len(ratings) {
			t.Fatalf("%d and %d of %d ratings", len(c.Train), len(c.Held), len(ratings))
		}
		for _, r := range c.Held {
			if r.RatedAt <= last[r.Customer] || kept[r.Customer] < 2 {
				t.Fatalf("customer %d keeps %d ratings until %d, and %d is held out", r.Customer, kept[r.Customer],
					last[r.Customer], r.RatedAt)
			}
		}
	})
}

func TestNewTask(t *testing.T) {
	t.Parallel()
	train := []Rating{{Customer: 0, Product: 3, Stars: 1}, {Customer: 0, Product: 1, Stars: 5},
		{Customer: 1, Product: 1, Stars: 5}}
	held := []Rating{{Customer: 0, Product: 2, Stars: 4}, {Customer: 0, Product: 0, Stars: 5},
		{Customer: 0, Product: 4, Stars: 3}, {Customer: 1, Product: 2, Stars: 2}}
	got := NewTask(5, train, held, 4)
	// dislikes are masked too; customer 1 likes nothing held out
	want := []Case{{Customer: 0, Seen: []int32{3, 1}, Relevant: []int32{0, 2}}}
	if !reflect.DeepEqual(got.Cases, want) || got.Positives() != 2 {
		t.Errorf("cases are %+v, want %+v", got.Cases, want)
	}
}

func TestBaselines(t *testing.T) {
	t.Parallel()
	// 0 and 1 are liked by the same three customers, 2 by one of them, 3 by another customer alone.
	likes := []Rating{{0, 0, 5, 0}, {0, 1, 5, 0}, {1, 0, 5, 0}, {1, 1, 5, 0}, {2, 0, 5, 0}, {2, 1, 5, 0}, {2, 2, 5, 0},
		{3, 3, 5, 0}, {4, 0, 5, 0}}
	rank := func(r Ranker, customer int32) []int32 {
		scores := make([]float32, 4)
		r(customer, scores)
		return Top(scores, make([]bool, 4), 4)
	}
	if got := rank(Popularity(NewPairs(5, 4, likes)), 9); !slices.Equal(got, []int32{0, 1, 2, 3}) {
		t.Errorf("popularity ranks %v", got)
	}
	// Customer 4 likes 0: cosine with 1 is 3/√12, with 2 is 1/√4, with 3 none.
	if got := rank(CoOccurrence(NewPairs(5, 4, likes), 2), 4); !slices.Equal(got, []int32{1, 2, 0, 3}) {
		t.Errorf("co-occurrence ranks %v", got)
	}
	// Customer 0 is generous, customer 1 strict: product 1 is above both means, product 0 below.
	ratings := []Rating{{0, 0, 4, 0}, {0, 1, 5, 0}, {1, 0, 1, 0}, {1, 1, 3, 0}}
	scores := make([]float32, 3)
	CustomerMean(2, 3, ratings)(1, scores)
	if want := []float32{2 - 1.5/12, 2 + 1.5/12, 2}; !slices.Equal(scores, want) {
		t.Errorf("customer mean predicts %v, want %v", scores, want)
	}
	if a, b := rank(Random(1), 1), rank(Random(1), 1); !slices.Equal(a, b) {
		t.Errorf("random ranks %v, then %v", a, b)
	}
	firsts := map[int32]bool{}
	for customer := range int32(40) {
		firsts[rank(Random(1), customer)[0]] = true
	}
	if len(firsts) != 4 {
		t.Errorf("random puts only %v first", firsts)
	}
}
