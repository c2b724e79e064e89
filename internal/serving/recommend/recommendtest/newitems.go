package recommendtest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// AddProductEncoder lets a version give vectors to products that it does not know: whole numbers, the same
// for the same seed.
func AddProductEncoder(v *modelversion.Version, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 23))
	vector := func() []float32 {
		x := make([]float32, v.Solver.Dim)
		for i := range x {
			x[i] = float32(rng.IntN(5) - 2)
		}
		return x
	}
	v.Products = &modelversion.ProductEncoder{Bias: vector(), Weights: map[string][]float32{},
		Edges: map[string][]float64{"price": {10, 20.5}, "attribute weight": {-1}}}
	for _, f := range []string{"category=a", "category=ü'\"", "brand=b=c", "attribute colour=red", "attribute new=true",
		"price=0", "price=1", "price=2", "attribute weight=0", "attribute weight=1"} {
		v.Products.Weights[f] = vector()
	}
}

// saidProduct draws what is said of a new product, with the features that it has then.
func saidProduct(t *rapid.T) (values map[activity.Field]any, features []string) {
	values = map[activity.Field]any{activity.FieldAvailable: rapid.IntRange(0, 4).Draw(t, "available") > 0,
		activity.FieldHidden: rapid.IntRange(0, 4).Draw(t, "hidden") == 0}
	draw := func(name string) bool { return rapid.Bool().Draw(t, name) }
	if draw("categories") {
		values[activity.FieldCategories] = []string{"a", "unheard of", "ü'\"", "a"}
		features = append(features, "category=a", "category=ü'\"")
	}
	if draw("brand") {
		values[activity.FieldBrand] = "b=c"
		features = append(features, "brand=b=c")
	}
	if draw("price") {
		price := rapid.SampledFrom([]string{"9.99", "10", "10.0001", "20.5", "21"}).Draw(t, "its price")
		values[activity.FieldPrice] = price
		features = append(features, map[string]string{"9.99": "price=0", "10": "price=0", "10.0001": "price=1",
			"20.5": "price=1", "21": "price=2"}[price])
	}
	if draw("attributes") {
		weight := rapid.SampledFrom([]float64{-2, -1, 0.5}).Draw(t, "weight")
		values[activity.FieldAttributes] = map[string]any{"colour": "red", "new": true, "weight": weight, "other": 3.0,
			"weightless": "1"}
		features = append(features, "attribute colour=red", "attribute new=true",
			"attribute weight="+strconv.Itoa(map[float64]int{-2: 0, -1: 0, 0.5: 1}[weight]))
	}
	return values, features
}

// testNewProducts says something of products that the version does not know, again and again: a look-up, a
// search and similar products find them with the vector of what was said last. Where the version knows
// none of them, or has no encoder, nothing changes.
func testNewProducts(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	with := gridVersion(4)
	AddProductEncoder(with, 1)
	s, without := open(t, Setup{Live: with}), open(t, Setup{Live: gridVersion(1)})
	fresh := map[string]recommend.NewItem{}
	number := 0
	rapid.Check(t, func(rt *rapid.T) {
		number++
		code := rapid.SampledFrom([]string{"new 1", "new 2", "ü'\"", "Z"}).Draw(rt, "product")
		values, features := saidProduct(rt)
		for _, f := range []activity.Field{activity.FieldBrand, activity.FieldPrice, activity.FieldCategories,
			activity.FieldAttributes} {
			if _, said := values[f]; !said {
				values[f] = nil
			}
		}
		write := activity.ProductWrite{ID: code, Values: values,
			Order: activity.Order{At: bought.Add(time.Duration(number) * time.Second)}}
		it := recommend.NewItem{Code: code, Vector: slices.Clone(with.Products.Bias), FirstSeen: write.Order.At,
			Shown: values[activity.FieldAvailable] == true && values[activity.FieldHidden] == false}
		for _, f := range features {
			for i, x := range with.Products.Weights[f] {
				it.Vector[i] += x
			}
		}
		if before, known := fresh[code]; known {
			it.FirstSeen = before.FirstSeen
		}
		fresh[code] = it
		purchase := recommend.Purchase{Customer: "new", Session: "s" + code, Product: code, Order: activity.Order{At: bought}}
		for _, store := range []Conformer{s, without} {
			if err := store.WriteState(rt.Context(), recommend.State{Purchases: []recommend.Purchase{purchase},
				Products: []activity.ProductWrite{write}}); err != nil {
				rt.Fatal(err)
			}
		}
		compareNew(rt, s, with, fresh)
		compareNew(rt, without, gridVersion(1), nil)
	})
}

// compareNew asks a store for everything that may be new.
func compareNew(t *rapid.T, s Conformer, v *modelversion.Version, fresh map[string]recommend.NewItem) {
	traffic, err := s.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	code := rapid.SampledFrom([]string{"new 1", "ü'\"", v.Items[0].Code, v.Items[1].Code}).Draw(t, "asked for")
	found, err := s.Lookup(t.Context(), traffic.Live, []string{code, v.Items[2].Code}, []string{"new"}, nil,
		activity.Order{})
	if err != nil {
		t.Fatal(err)
	}
	it, known := fresh[code]
	if item := slices.IndexFunc(v.Items, func(it modelversion.Item) bool { return it.Code == code }); item >= 0 {
		it, known = recommend.NewItem{Code: code, Vector: v.Items[item].Vector}, true
	}
	if got := found.Items[code]; !slices.Equal(got.Vector, it.Vector) || len(found.Bought["new"]) != len(fresh) ||
		!slices.Equal(found.Items[v.Items[2].Code].Vector, v.Items[2].Vector) {
		t.Fatalf("looked up %s: %v, want %v; bought %v", code, got, it, found.Bought)
	}
	q := recommend.Search{Limit: 3, New: rapid.IntRange(0, 3).Draw(t, "new"), At: bought, Exclude: []string{"new 1"}}
	if rapid.Bool().Draw(t, "by vector") {
		q.Vector = []float32{1, -2, float32(rapid.IntRange(-2, 2).Draw(t, "component"))}
	}
	if rapid.Bool().Draw(t, "with a bound") {
		q.SeenBy = bought.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "seconds")) * time.Second)
	}
	near := recommend.Neighbours{Code: code, Limit: rapid.IntRange(1, 70).Draw(t, "limit")}
	candidates, similar, err := s.Retrieve(t.Context(), traffic.Live, []recommend.Search{q}, []recommend.Neighbours{near})
	if err != nil {
		t.Fatal(err)
	}
	want := append(sortedSearch(Setup{Live: v}, q), sortedNew(q, fresh)...)
	if fmt.Sprint(candidates[0]) != fmt.Sprint(want) {
		t.Fatalf("search %+v\nfound %v\nwant  %v", q, candidates[0], want)
	}
	old := sortedNeighbours(Setup{Live: v}, recommend.Neighbours{Code: code, Limit: 70})
	compareNeighbours(t, near, similar[0], withNew(old, v, near, it, known, fresh))
}

func sortedNew(q recommend.Search, fresh map[string]recommend.NewItem) (found []recommend.Candidate) {
	for code, it := range fresh {
		if !it.Shown || slices.Contains(q.Exclude, code) || !q.SeenBy.IsZero() && it.FirstSeen.After(q.SeenBy) {
			continue
		}
		c := recommend.Candidate{Item: recommend.NoItem, Code: code, Vector: it.Vector}
		if q.Vector != nil {
			c.Score = product(q.Vector, it.Vector)
		}
		found = append(found, c)
	}
	slices.SortFunc(found, func(a, b recommend.Candidate) int {
		newest := fresh[b.Code].FirstSeen.Compare(fresh[a.Code].FirstSeen)
		if q.Vector != nil {
			newest = 0
		}
		return cmp.Or(cmp.Compare(b.Score, a.Score), newest, strings.Compare(a.Code, b.Code))
	})
	return found[:min(q.New, len(found))]
}

// withNew are the similar products of it: known ones, if the version knows it, and new ones.
func withNew(old []recommend.Similar, v *modelversion.Version, q recommend.Neighbours, it recommend.NewItem, known bool,
	fresh map[string]recommend.NewItem) []recommend.Similar {
	if !known {
		return nil
	}
	add := func(code string, vector []float32) {
		cosine := float64(product(it.Vector, vector)) /
			math.Sqrt(float64(product(it.Vector, it.Vector))*float64(product(vector, vector)))
		if code != q.Code && !math.IsNaN(cosine) {
			old = append(old, recommend.Similar{Code: code, Distance: float32(1 - cosine)})
		}
	}
	if _, isNew := fresh[q.Code]; isNew {
		for _, item := range v.Items {
			if item.QuantityInStock > 0 {
				add(item.Code, item.Vector)
			}
		}
	}
	for code, other := range fresh {
		if other.Shown {
			add(code, other.Vector)
		}
	}
	slices.SortFunc(old, func(a, b recommend.Similar) int { return cmp.Compare(a.Distance, b.Distance) })
	return old[:min(q.Limit, len(old))]
}
