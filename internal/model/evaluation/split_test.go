package evaluation

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func key(customer, product int32) uint64 { return Mix(uint64(customer)<<32 | uint64(product)) }

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
		history(2, 5, 5, 5),    // a tie: the last product is held out
		history(3, 1, 2),       // too few
		history(4, 4, 3, 2, 1), // fewer than five: one is held out all the same
	)
	before := slices.Clone(ratings)
	train, held, name := Split(ratings, key)
	for customer, want := range map[int32][]int32{1: {1, 7}, 2: {2}, 3: nil, 4: {0}} {
		if got := products(held, customer); !slices.Equal(got, want) {
			t.Errorf("customer %d: held out %v, want %v", customer, got, want)
		}
	}
	if len(train)+len(held) != len(ratings) || !reflect.DeepEqual(ratings, before) {
		t.Error("ratings were lost or the input was changed")
	}
	if !strings.Contains(name, "by time") || strings.Contains(name, "hash") {
		t.Errorf("the split is called %q", name)
	}
}

func TestSplitByHashWithoutTimes(t *testing.T) {
	t.Parallel()
	ratings := append(history(1, make([]int64, 20)...), history(2, 1, 2, 3, 0, 5)...)
	_, held, name := Split(ratings, key)
	if len(products(held, 1)) != 4 || len(products(held, 2)) != 1 || !strings.Contains(name, "hash") {
		t.Errorf("held out %v and %v, split %q", products(held, 1), products(held, 2), name)
	}
	slices.Reverse(ratings)
	_, again, _ := Split(append(ratings, history(3, 0, 0, 0)...), key)
	if !slices.Equal(products(held, 1), products(again, 1)) {
		t.Error("another order and another customer change what is held out")
	}
	_, _, mixed := Split(append(history(1, 0, 0, 0), history(2, 1, 2, 3)...), key)
	if !strings.Contains(mixed, "1 of 2 customers") {
		t.Errorf("the mixed split is called %q", mixed)
	}
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
