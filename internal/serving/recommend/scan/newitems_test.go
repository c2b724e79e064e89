package scan

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/serving/recommend"
)

// TestNewItemsAreFoundInOrder compares with sorting all that was said of products.
func TestNewItemsAreFoundInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var n *NewItems
		all := map[string]recommend.NewItem{}
		code := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("p", rapid.IntRange(0, 40).Draw(t, "code")) })
		for range rapid.IntRange(0, 8).Draw(t, "readings") {
			shown := rapid.MapOf(code, rapid.Ptr(rapid.Bool(), true)).Draw(t, "shown")
			changed := rapid.MapOf(code, rapid.Custom(func(t *rapid.T) recommend.NewItem {
				return recommend.NewItem{Vector: []float32{float32(rapid.IntRange(-2, 2).Draw(t, "component")), 1},
					FirstSeen: time.Unix(int64(rapid.IntRange(0, 5).Draw(t, "seen")), 0), Shown: rapid.Bool().Draw(t, "can")}
			})).Draw(t, "changed")
			for c, it := range all {
				if can, said := shown[c]; said {
					it.Shown = can != nil && *can
					all[c] = it
				}
			}
			var list []recommend.NewItem
			for c, it := range changed {
				it.Code = c
				all[c] = it
				list = append(list, it)
			}
			n = n.With(list, shown)
		}
		q := recommend.Search{New: rapid.IntRange(0, 12).Draw(t, "new"), Exclude: rapid.SliceOf(code).Draw(t, "exclude")}
		if rapid.Bool().Draw(t, "by vector") {
			q.Vector = []float32{float32(rapid.IntRange(-2, 2).Draw(t, "query")), 1}
		}
		if rapid.Bool().Draw(t, "bound") {
			q.SeenBy = time.Unix(3, 0)
		}
		var want []recommend.Candidate
		for _, c := range slices.Sorted(maps.Keys(all)) {
			it := all[c]
			if it.Shown && !slices.Contains(q.Exclude, c) && (q.SeenBy.IsZero() || !it.FirstSeen.After(q.SeenBy)) {
				found := recommend.Candidate{Item: recommend.NoItem, Code: c, Vector: it.Vector}
				if q.Vector != nil {
					found.Score = product(q.Vector, it.Vector)
				}
				want = append(want, found)
			}
		}
		slices.SortStableFunc(want, func(a, b recommend.Candidate) int {
			if q.Vector == nil {
				return all[b.Code].FirstSeen.Compare(all[a.Code].FirstSeen)
			}
			return cmp.Compare(b.Score, a.Score)
		})
		want = want[:min(q.New, len(want))]
		if got := n.search(&q); len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("search %+v\nfound %v\nwant  %v", q, got, want)
		}
	})
}

// TestTheNewestItemsAreKept, which bounds the memory: what cannot be bought goes first.
func TestTheNewestItemsAreKept(t *testing.T) {
	t.Parallel()
	say := func(n *NewItems, from, to int, shown bool) *NewItems {
		var list []recommend.NewItem
		for i := from; i < to; i++ {
			list = append(list, recommend.NewItem{Code: fmt.Sprint(i), Vector: []float32{1}, Shown: shown,
				FirstSeen: time.Unix(int64(i), 0)})
		}
		return n.With(list, nil)
	}
	n := say(say(say(nil, 0, mostNew-1000, true), mostNew, mostNew+2000, false), 2*mostNew, 2*mostNew+2000, true)
	for _, code := range []int{1000, mostNew - 1001, 2 * mostNew, 2*mostNew + 1999} {
		if n.vector(fmt.Sprint(code)) == nil {
			t.Errorf("product %d was forgotten", code)
		}
	}
	for _, code := range []int{999, mostNew, mostNew + 1999} {
		if n.vector(fmt.Sprint(code)) != nil {
			t.Errorf("product %d is kept", code)
		}
	}
	if want := int64(mostNew * (4 + newBytes)); n.Bytes() != want {
		t.Errorf("they take %d bytes, want %d", n.Bytes(), want)
	}
}
