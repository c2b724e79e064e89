package recommendtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// Conformer is the store that package recommend declares, and the one that state is written to.
type Conformer interface {
	Traffic(ctx context.Context) (recommend.Traffic, error)
	Lookup(ctx context.Context, m *recommend.Model, codes, customers, sessions []string,
		until activity.Order) (recommend.Lookup, error)
	Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
		neighbours []recommend.Neighbours) ([][]recommend.Candidate, [][]recommend.Similar, error)
	Facts(ctx context.Context, m *recommend.Model, codes []string) (map[string]recommend.Facts, error)
	List(ctx context.Context, m *recommend.Model, q recommend.ListQuery) ([]recommend.Listed, error)
	CanaryFailed(ctx context.Context, version string, fault error) error
	Count(ctx context.Context, clicks []recommend.Counted) error
	WriteState(ctx context.Context, state recommend.State) error
	Arms(ctx context.Context, experiment string, visitors []string) (map[string]recommend.Arm, error)
	KeepArms(ctx context.Context, experiment string, arms map[string]recommend.Arm) (map[string]recommend.Arm, error)
}

// Setup is what a store of the suite holds.
type Setup struct {
	Live   *modelversion.Version
	Canary *modelversion.Version // it answers Share of the sessions; nil: none
	Share  float64
	// Experiment is the name of the experiment whose treatment Canary is; "": it is a canary alone.
	Experiment string
	// State says of some products, by code, whether they can be bought, whatever the version says. Where it
	// is nil, nothing was ever said.
	State map[string]bool
}

// Conformance holds a store to what package recommend expects of one. open returns a store.
func Conformance(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Helper()
	t.Run("traffic", func(t *testing.T) { testTraffic(t, open) })
	t.Run("lookup", func(t *testing.T) { testLookup(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("lookup of neighbours", func(t *testing.T) { testLookupOfNeighbours(t, open(t, Setup{Live: gridVersion(3)})) })
	t.Run("facts", func(t *testing.T) { testFacts(t, open) })
	t.Run("trends", func(t *testing.T) { testTrends(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("bought together", func(t *testing.T) { testTogether(t, open) })
	t.Run("new ones", func(t *testing.T) { testListOfNew(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("retrieve", func(t *testing.T) { testRetrieve(t, open) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("purchases", func(t *testing.T) { testPurchases(t, open) })
	t.Run("refused purchases", func(t *testing.T) { testRefusedPurchases(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("products", func(t *testing.T) { testProducts(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("new products", func(t *testing.T) { testNewProducts(t, open) })
	t.Run("rules", func(t *testing.T) { testRules(t, open) })
	t.Run("customers", func(t *testing.T) { testCustomers(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("forgetting between", func(t *testing.T) { testForgettingBetween(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("visits", func(t *testing.T) { testVisits(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("many visits", func(t *testing.T) { testManyVisits(t, open(t, Setup{Live: gridVersion(1)})) })
	t.Run("clicks", func(t *testing.T) { testClicks(t, open) })
	t.Run("arms", func(t *testing.T) {
		testArms(t, open(t, Setup{Live: gridVersion(1), Canary: gridVersion(2), Share: 0.25, Experiment: "new-model"}))
	})
	t.Run("canary ends", func(t *testing.T) {
		testCanaryEnds(t, open(t, Setup{Live: gridVersion(1), Canary: gridVersion(2), Share: 0.25}))
	})
}

const gridDim = 3

// gridVersion makes a version of small whole numbers: arithmetic is exact in every store, and many
// products are equal to others. It has zero vectors, products out of stock and customers without
// ratings. All but the first have rules for what was bought before, all after the second neighbours, and
// after the third these count for similar products.
func gridVersion(seed uint64) *modelversion.Version {
	rng := rand.New(rand.NewPCG(seed, 5))
	vector := func() []float32 {
		v := make([]float32, gridDim)
		for i := range v {
			v[i] = float32(rng.IntN(7) - 3)
		}
		return v
	}
	v := &modelversion.Version{ID: gridID(seed), TrainingRun: "run", TrainerVersion: "test",
		TrainedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Solver: modelversion.Solver{Dim: gridDim, Alpha0: 0.25, Lambda: 0.5, Nu: 1, ViewWeight: 1, CartWeight: 4,
			Gram: make([]float32, gridDim*gridDim), Items: 60},
		Encoder: modelversion.Encoder{Bias: vector(), Weights: map[string][]float32{"country=France": vector()}},
		Report:  modelversion.Report{Verdict: modelversion.Verdict{Pass: true}},
	}
	for i := range v.Solver.Items {
		it := modelversion.Item{Code: fmt.Sprintf("S%02d ü\"'", i), Name: "name", Line: "line",
			Origin:          modelversion.OriginTrained,
			QuantityInStock: int16(rng.IntN(4)), Positives: int32(rng.IntN(5)), Vector: vector()}
		v.Items = append(v.Items, it)
		for r, a := range it.Vector {
			for c, b := range it.Vector {
				v.Solver.Gram[r*gridDim+c] += a * b
			}
		}
	}
	for n := range 9 {
		c := modelversion.Customer{ID: strconv.Itoa(n - 4), Origin: modelversion.OriginTrained, Vector: vector()}
		for i := n; n%3 > 0 && i < len(v.Items); i += 1 + n {
			c.Rated = append(c.Rated, v.Items[i].Code)
		}
		v.Customers = append(v.Customers, c)
	}
	if seed > 1 {
		addRepeats(v, rng)
	}
	if seed > 2 {
		addNear(v, rng)
	}
	return v
}

func gridID(seed uint64) string { return fmt.Sprintf("m%015d", seed) }

// bought is about when customers of a grid version bought things.
var bought = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)

// addRepeats gives products rules of every kind, and customers times.
func addRepeats(v *modelversion.Version, rng *rand.Rand) {
	v.Repeats = &modelversion.Repeats{Rule: modelversion.RepeatShow}
	for i := range v.Items {
		v.Items[i].Repeat = []modelversion.Repeat{modelversion.RepeatHide, modelversion.RepeatShow, 3600,
			24 * 3600}[rng.IntN(4)]
	}
	for i := range v.Customers {
		c := &v.Customers[i]
		for range c.Rated {
			last := bought.Unix() + int64(rng.IntN(30))*3600
			if rng.IntN(5) == 0 {
				last = 0 // not known
			}
			c.Last, c.Count = append(c.Last, last), append(c.Count, int32(1+rng.IntN(3)))
		}
	}
}

// addNear gives most products and customers neighbours.
func addNear(v *modelversion.Version, rng *rand.Rand) {
	list := func() (all []modelversion.Neighbour) {
		for i := rng.IntN(9); i < len(v.Items) && len(all) < 6; i += 1 + rng.IntN(40) {
			all = append(all, modelversion.Neighbour{Item: int32(i), Weight: float32(1 + rng.IntN(5))})
		}
		if rng.IntN(4) == 0 {
			return nil
		}
		return all
	}
	v.Solver.Neighbours, v.Solver.NearWeight, v.Near = 6, 2, &modelversion.Near{}
	if v.ID > gridID(3) {
		v.Solver.SimilarWeight = 0.25
	}
	for range v.Items {
		v.Near.Items = append(v.Near.Items, list())
	}
	for range v.Customers {
		v.Near.Customers = append(v.Near.Customers, list())
	}
}

// gridState says of half of the products that they can be bought, or cannot.
func gridState(v *modelversion.Version, seed uint64) map[string]bool {
	rng := rand.New(rand.NewPCG(seed, 6))
	state := map[string]bool{"no product of the version": true}
	for _, it := range v.Items {
		if rng.IntN(2) == 0 {
			state[it.Code] = rng.IntN(3) == 0
		}
	}
	return state
}

// testLookupOfNeighbours asks for everything at once.
func testLookupOfNeighbours(t *testing.T, s Conformer) {
	t.Parallel()
	v, m := gridVersion(3), mustModel(t, s)
	var codes, ids []string
	for _, it := range v.Items {
		codes = append(codes, it.Code)
	}
	for _, c := range v.Customers {
		ids = append(ids, c.ID)
	}
	found, err := s.Lookup(t.Context(), m, codes, ids, nil, activity.Order{})
	if err != nil {
		t.Fatal(err)
	}
	lists := 0
	for i, code := range codes {
		if !slices.Equal(found.Items[code].Near, v.Near.Items[i]) || !slices.Equal(found.Items[code].Vector,
			v.Items[i].Vector) {
			t.Errorf("product %s: %v, want neighbours %v", code, found.Items[code], v.Near.Items[i])
		}
		lists += len(found.Items[code].Near)
	}
	for i, id := range ids {
		if !slices.Equal(found.Customers[id].Near, v.Near.Customers[i]) {
			t.Errorf("customer %s: %v, want neighbours %v", id, found.Customers[id], v.Near.Customers[i])
		}
		lists += len(found.Customers[id].Near)
	}
	if lists == 0 {
		t.Error("there are no neighbours to look up")
	}
}

func testTraffic(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	live, canary := gridVersion(1), gridVersion(2)
	for _, share := range []float64{0, 0.25} {
		second := canary
		if share == 0 {
			second = nil
		}
		traffic, err := open(t, Setup{Live: live, Canary: second, Share: share}).Traffic(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if traffic.Live.Version != live.ID || traffic.CanaryFault != nil || (traffic.Canary != nil) != (share > 0) ||
			traffic.Share != share || traffic.Canary != nil && traffic.Canary.Version != canary.ID {
			t.Errorf("share %g: %+v", share, traffic)
		}
		m := traffic.Live
		if !slices.Equal(m.Solver.Gram, live.Solver.Gram) || m.Solver.Alpha0 != 0.25 || m.Solver.CartWeight != 4 ||
			!slices.Equal(m.Encoder.Bias, live.Encoder.Bias) ||
			!slices.Equal(m.Encoder.Weights["country=France"], live.Encoder.Weights["country=France"]) {
			t.Errorf("the model came back as %+v", m)
		}
	}
}

func testLookup(t *testing.T, s Conformer) {
	t.Parallel()
	v := gridVersion(1)
	m := mustModel(t, s)
	found, err := s.Lookup(t.Context(), m, []string{v.Items[4].Code, "unknown", v.Items[4].Code, ""},
		[]string{"-4", "3", "99", "03"}, nil, activity.Order{})
	if err != nil {
		t.Fatal(err)
	}
	if it := found.Items[v.Items[4].Code]; len(found.Items) != 1 || !slices.Equal(it.Vector, v.Items[4].Vector) ||
		it.Number != 4 || it.Likes != v.Items[4].Positives {
		t.Errorf("products: %v", found.Items)
	}
	if len(found.Customers) != 2 || found.Customers["3"].Origin != modelversion.OriginTrained ||
		!slices.Equal(found.Customers["3"].Vector, v.Customers[7].Vector) {
		t.Errorf("customers: %v", found.Customers)
	}
	found, err = s.Lookup(t.Context(), m, nil, nil, nil, activity.Order{})
	if err != nil || len(found.Items)+len(found.Customers) > 0 {
		t.Errorf("a question about nothing: %v, %v", found, err)
	}
}

// testRetrieve compares random questions with an answer found by sorting.
func testRetrieve(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	var setups []Setup
	var stores []Conformer
	for seed := uint64(1); seed <= 4; seed++ {
		v := gridVersion(seed)
		for _, state := range []map[string]bool{nil, gridState(v, seed)} {
			setups = append(setups, Setup{Live: v, State: state})
			stores = append(stores, open(t, setups[len(setups)-1]))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.IntRange(0, len(setups)-1).Draw(rt, "setup")
		setup, s := setups[number], stores[number]
		v := setup.Live
		code := rapid.OneOf(rapid.Map(rapid.SampledFrom(v.Items), func(it modelversion.Item) string { return it.Code }),
			rapid.SampledFrom([]string{"unknown", ""}))
		var searches []recommend.Search
		for range rapid.IntRange(0, 4).Draw(rt, "searches") {
			at := bought.Add(time.Duration(rapid.IntRange(-2, 60).Draw(rt, "hours")) * time.Hour)
			search := recommend.Search{Limit: rapid.IntRange(1, 70).Draw(rt, "limit"), At: at,
				Exclude: rapid.SliceOfN(code, 0, 70).Draw(rt, "exclude")}
			if rapid.Bool().Draw(rt, "by vector") {
				for range gridDim {
					search.Vector = append(search.Vector, float32(rapid.IntRange(-3, 3).Draw(rt, "component")))
				}
			}
			if rapid.Bool().Draw(rt, "of a customer") {
				customer := strconv.Itoa(rapid.IntRange(-6, 6).Draw(rt, "customer"))
				search.Customer = &customer
			}
			for item := rapid.IntRange(0, 70).Draw(rt, "first added"); item < len(v.Items); item += rapid.IntRange(1, 70).
				Draw(rt, "next added") {
				search.Added = append(search.Added, modelversion.Neighbour{Item: int32(item),
					Weight: float32(rapid.IntRange(0, 9).Draw(rt, "added"))})
			}
			searches = append(searches, search)
		}
		var neighbours []recommend.Neighbours
		for range rapid.IntRange(0, 3).Draw(rt, "neighbours") {
			neighbours = append(neighbours, recommend.Neighbours{Code: code.Draw(rt, "code"),
				Limit: rapid.IntRange(1, 70).Draw(rt, "limit")})
		}
		traffic, err := s.Traffic(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		candidates, similar, err := s.Retrieve(t.Context(), traffic.Live, searches, neighbours)
		if err != nil || len(candidates) != len(searches) || len(similar) != len(neighbours) {
			rt.Fatalf("%d and %d answers: %v", len(candidates), len(similar), err)
		}
		for i, q := range searches {
			if got, want := fmt.Sprint(candidates[i]), fmt.Sprint(sortedSearch(setup, q)); got != want {
				rt.Errorf("search %+v\nfound %s\nwant  %s", q, got, want)
			}
		}
		for i, q := range neighbours {
			compareNeighbours(rt, q, similar[i], sortedNeighbours(setup, q))
		}
	})
}

// compareNeighbours allows products in another order when their distances round differently.
func compareNeighbours(t *rapid.T, q recommend.Neighbours, got, want []recommend.Similar) {
	if len(got) != len(want) {
		t.Fatalf("neighbours %+v\nfound %v\nwant  %v", q, got, want)
	}
	for i := range got {
		if want := float64(want[i].Distance); math.Abs(float64(got[i].Distance)-want) > 1e-6*max(1, math.Abs(want)) {
			t.Errorf("neighbours %+v\nfound %v\nwant  %v", q, got, want)
		}
	}
}

func sortedSearch(s Setup, q recommend.Search) []recommend.Candidate {
	v := s.Live
	var rated modelversion.Customer
	for _, c := range v.Customers {
		if q.Customer != nil && c.ID == *q.Customer {
			rated = c
		}
	}
	found := []recommend.Candidate{}
	for number, it := range v.Items {
		if !s.sells(it) || slices.Contains(q.Exclude, it.Code) {
			continue
		}
		if i := slices.Index(rated.Rated, it.Code); i >= 0 && (v.Repeats == nil || hidden(it.Repeat, rated.Last[i], q.At)) {
			continue
		}
		c := recommend.Candidate{Item: int32(number), Code: it.Code, Score: float32(it.Positives), Vector: it.Vector}
		if q.Vector != nil {
			c.Score = product(q.Vector, it.Vector)
			for _, n := range q.Added {
				if int(n.Item) == number {
					c.Score += n.Weight
				}
			}
		}
		found = append(found, c)
	}
	slices.SortFunc(found, func(a, b recommend.Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Code, b.Code))
	})
	return found[:min(q.Limit, len(found))]
}

// hidden is the rule in other words than the stores': what was bought is hidden for a period, for ever
// or not at all.
func hidden(rule modelversion.Repeat, last int64, at time.Time) bool {
	switch rule.String() {
	case "hide":
		return true
	case "show":
		return false
	}
	return last == 0 || at.Before(time.Unix(last, 0).Add(time.Duration(rule)*time.Second))
}

// sells says whether a product can be bought.
func (s Setup) sells(it modelversion.Item) bool {
	said, known := s.State[it.Code]
	return said || !known && it.QuantityInStock > 0
}

func sortedNeighbours(s Setup, q recommend.Neighbours) []recommend.Similar {
	v := s.Live
	at := slices.IndexFunc(v.Items, func(it modelversion.Item) bool { return it.Code == q.Code })
	if at < 0 {
		return nil
	}
	origin := v.Items[at].Vector
	var found []recommend.Similar
	for _, it := range v.Items {
		distance := 1 - float64(product(origin, it.Vector))/
			math.Sqrt(float64(product(origin, origin))*float64(product(it.Vector, it.Vector)))
		if v.Near != nil {
			for _, n := range v.Near.Items[at] {
				if v.Items[n.Item].Code == it.Code {
					distance -= v.Solver.SimilarWeight * float64(n.Weight)
				}
			}
		}
		if it.Code != q.Code && s.sells(it) && !math.IsNaN(distance) {
			found = append(found, recommend.Similar{Code: it.Code, Distance: float32(distance)})
		}
	}
	slices.SortFunc(found, func(a, b recommend.Similar) int { return cmp.Compare(a.Distance, b.Distance) })
	return found[:min(q.Limit, len(found))]
}

func product(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// testRefusals asks what no store answers. A value that no store can hold is a *RefusedError, which
// says that a retry does not help.
func testRefusals(t *testing.T, s Conformer) {
	t.Parallel()
	m := mustModel(t, s)
	var refused *recommend.RefusedError
	for _, text := range []string{"a\x00", "\xff", "\xed\xa0\x80"} {
		if _, err := s.Lookup(t.Context(), m, []string{text}, nil, nil, activity.Order{}); !errors.As(err, &refused) {
			t.Errorf("look up %q: %v", text, err)
		}
		if _, _, err := s.Retrieve(t.Context(), m, []recommend.Search{{Limit: 1, Exclude: []string{text}}},
			nil); !errors.As(err, &refused) {
			t.Errorf("exclude %q: %v", text, err)
		}
		if _, _, err := s.Retrieve(t.Context(), m, nil,
			[]recommend.Neighbours{{Code: text, Limit: 1}}); !errors.As(err, &refused) {
			t.Errorf("neighbours of %q: %v", text, err)
		}
	}
	for name, q := range map[string]recommend.Search{
		"no limit":        {},
		"wrong dimension": {Vector: make([]float32, gridDim+1), Limit: 1},
		"empty vector":    {Vector: []float32{}, Limit: 1},
		"not a number":    {Vector: []float32{0, 0, float32(math.NaN())}, Limit: 1},
		"added below 0":   {Vector: make([]float32, gridDim), Added: []modelversion.Neighbour{{Weight: -1}}, Limit: 1},
		"added no number": {Vector: make([]float32, gridDim), Added: []modelversion.Neighbour{{Weight: float32(math.NaN())}},
			Limit: 1},
		"infinite": {Vector: []float32{0, 0, float32(math.Inf(-1))}, Limit: 1},
	} {
		if _, _, err := s.Retrieve(t.Context(), m, []recommend.Search{q}, nil); err == nil {
			t.Errorf("%s: answered", name)
		}
	}
	if _, _, err := s.Retrieve(t.Context(), m, nil, []recommend.Neighbours{{Code: "a"}}); err == nil {
		t.Error("neighbours without a limit: answered")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Retrieve(ended, m, []recommend.Search{{Limit: 1}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
}

// testCanaryEnds lets the canary fail until it ends. Faults of another version do not count.
func testCanaryEnds(t *testing.T, s Conformer) {
	t.Parallel()
	for i := range recommend.CanaryErrors {
		traffic, err := s.Traffic(t.Context())
		if err != nil || traffic.Canary == nil {
			t.Fatalf("after %d faults the canary is gone: %v", i, err)
		}
		for _, version := range []string{"unknown", traffic.Live.Version, traffic.Canary.Version} {
			if err := s.CanaryFailed(t.Context(), version, errBroken); err != nil {
				t.Fatal(err)
			}
		}
	}
	traffic, err := s.Traffic(t.Context())
	if err != nil || traffic.Canary != nil || traffic.Live == nil {
		t.Errorf("after %d faults: %+v, %v", recommend.CanaryErrors, traffic, err)
	}
	if err := s.CanaryFailed(t.Context(), "m000000000000002", errBroken); err != nil {
		t.Errorf("a fault that comes late: %v", err)
	}
}

func mustModel(t *testing.T, s Conformer) *recommend.Model {
	t.Helper()
	traffic, err := s.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return traffic.Live
}
