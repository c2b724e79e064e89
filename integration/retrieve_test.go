package integration

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
)

// mustVectorStore opens a migrated store on a database of the test's own.
func mustVectorStore(t *testing.T, dsn string) *vectorstore.Store {
	t.Helper()
	store, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if err := migration.Up(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	return store
}

// withSettings adds settings, in pairs of name and value, to a PostgreSQL address.
func withSettings(t *testing.T, dsn string, pairs ...string) string {
	t.Helper()
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	settings := address.Query()
	for i := 0; i < len(pairs); i += 2 {
		settings.Set(pairs[i], pairs[i+1])
	}
	address.RawQuery = settings.Encode()
	return address.String()
}

// randomVersion makes a version that passes the gate: some products out of stock, some customers
// with no rating.
func randomVersion(id string, seed uint64, items, customers, dim int) *modelversion.Version {
	random := rand.New(rand.NewPCG(seed, 1))
	vector := func() []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	v := &modelversion.Version{ID: id, TrainingRun: "run", TrainerVersion: "test",
		Solver:  modelversion.Solver{Dim: dim, Alpha0: 0.1, Lambda: 0.2},
		Encoder: modelversion.Encoder{Bias: vector(), Weights: map[string][]float32{"country=France": vector()}},
		Report:  modelversion.Report{Verdict: modelversion.Verdict{Pass: true}},
	}
	for i := range items {
		v.Items = append(v.Items, modelversion.Item{Code: fmt.Sprintf("S%06d", i), Name: "name", Line: "line",
			Origin:          modelversion.OriginTrained,
			QuantityInStock: int16(random.IntN(5)), Positives: int32(random.IntN(20)), Vector: vector()})
	}
	for n := range customers {
		c := modelversion.Customer{ID: strconv.Itoa(100 + n), Origin: modelversion.OriginTrained, Vector: vector()}
		for i := n % 7; n%10 != 0 && i < min(items, 300); i += 7 {
			c.Rated = append(c.Rated, v.Items[i].Code)
		}
		v.Customers = append(v.Customers, c)
	}
	setGram(v)
	return v
}

// setGram makes the Gram matrix that of the items.
func setGram(v *modelversion.Version) {
	dim := v.Solver.Dim
	v.Solver.Gram, v.Solver.Items = make([]float32, dim*dim), len(v.Items)
	for _, item := range v.Items {
		for r := range dim {
			for c := range dim {
				v.Solver.Gram[r*dim+c] += item.Vector[r] * item.Vector[c]
			}
		}
	}
}

func mustGoLive(t *testing.T, store *vectorstore.Store, v *modelversion.Version) *recommend.Model {
	t.Helper()
	if _, err := store.Load(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if err := store.Promote(t.Context(), v.ID, vectorstore.PromoteOptions{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	traffic, err := store.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return traffic.Live
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// bruteForce is what Retrieve has to find: the codes, best first.
func bruteForce(v *modelversion.Version, s recommend.Search) []string {
	var left []modelversion.Item
	for _, item := range v.Items {
		rated := s.Customer != nil && slices.ContainsFunc(v.Customers, func(c modelversion.Customer) bool {
			return c.ID == *s.Customer && slices.Contains(c.Rated, item.Code)
		})
		if item.QuantityInStock > 0 && !rated && !slices.Contains(s.Exclude, item.Code) {
			left = append(left, item)
		}
	}
	score := func(item modelversion.Item) float64 {
		if s.Vector == nil {
			return float64(item.Positives)
		}
		return dot(item.Vector, s.Vector)
	}
	// already by code
	slices.SortStableFunc(left, func(a, b modelversion.Item) int { return cmp.Compare(score(b), score(a)) })
	var codes []string
	for _, item := range left[:min(s.Limit, len(left))] {
		codes = append(codes, item.Code)
	}
	return codes
}

func TestRetrieveAgreesWithBruteForce(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	v := randomVersion("m000000000000001", 1, 300, 30, 16)
	v.Items[7].Vector = slices.Clone(v.Items[3].Vector) // a tie, broken by code
	v.Items[8].Vector = make([]float32, 16)
	v.Items[3].QuantityInStock, v.Items[7].QuantityInStock, v.Items[8].QuantityInStock = 1, 1, 1
	setGram(v)
	m := mustGoLive(t, store, v)

	rated, without, stranger := "101", "110", "9"
	searches := []recommend.Search{
		{Vector: v.Items[3].Vector, Limit: 10},
		{Vector: v.Customers[1].Vector, Customer: &rated, Limit: 10},
		{Vector: v.Customers[1].Vector, Customer: &rated, Exclude: []string{v.Items[0].Code, v.Items[5].Code, "unknown"},
			Limit: 25},
		{Vector: v.Customers[2].Vector, Customer: &without, Limit: 1},
		{Vector: v.Customers[2].Vector, Customer: &stranger, Exclude: []string{}, Limit: 10},
		{Limit: 10},
		{Customer: &rated, Exclude: []string{v.Items[9].Code}, Limit: 12},
		{Vector: v.Customers[3].Vector, Limit: 1000}, // more than there are
	}
	neighbours := []recommend.Neighbours{{Code: v.Items[3].Code, Limit: 5}, {Code: "unknown", Limit: 5}}
	for range 7 { // a statement may be planned anew for each of its first five runs
		candidates, similar, err := store.Retrieve(t.Context(), m, searches, neighbours)
		if err != nil {
			t.Fatal(err)
		}
		for i, search := range searches {
			var codes []string
			for _, c := range candidates[i] {
				codes = append(codes, c.Code)
				at := slices.IndexFunc(v.Items, func(item modelversion.Item) bool { return item.Code == c.Code })
				if at < 0 || !slices.Equal(c.Vector, v.Items[at].Vector) {
					t.Errorf("search %d: the vector of %s is another's", i, c.Code)
				}
				if c.Score == 0 && math.Signbit(float64(c.Score)) {
					t.Errorf("search %d: score of %s is -0", i, c.Code)
				}
				if search.Vector != nil && math.Abs(float64(c.Score)-dot(c.Vector, search.Vector)) > 1e-4 {
					t.Errorf("search %d: score of %s is %v, want %v", i, c.Code, c.Score, dot(c.Vector, search.Vector))
				}
			}
			if want := bruteForce(v, search); !slices.Equal(codes, want) {
				t.Errorf("search %d found %v, want %v", i, codes, want)
			}
		}
		if len(similar) != 2 || len(similar[0]) != 5 || len(similar[1]) != 0 {
			t.Fatalf("similar items: %v", similar)
		}
		if twin := similar[0][0]; twin.Code != v.Items[7].Code || twin.Distance > 1e-6 ||
			similar[0][4].Distance < similar[0][1].Distance {
			t.Errorf("nearest to its copy: %v", similar[0])
		}
	}
}

func TestIndexedRetrieveFillsEveryPage(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	// So few rows would be scanned and sorted otherwise.
	dsn := withSettings(t, stack.mustVectorDatabase(t), "enable_seqscan", "off", "enable_sort", "off")
	store := mustVectorStore(t, dsn)
	v := randomVersion("m000000000000002", 2, 400, 10, 8)
	if _, err := store.Load(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	// An index is built above the crossover only; here it is made by hand, so that few rows do.
	execPostgres(t, t.Context(), dsn, `CREATE INDEX ON model_`+v.ID+`.item USING hnsw (embedding vector_ip_ops);
		UPDATE kindred.model_version SET index_kind = 'hnsw', ef_search = 100; ANALYZE`)
	m := mustGoLive(t, store, v)
	customer := "101"
	var exclude []string // all but the last 60 products
	for _, item := range v.Items[:340] {
		exclude = append(exclude, item.Code)
	}
	for i := range v.Customers {
		search := recommend.Search{Vector: v.Customers[i].Vector, Customer: &customer, Exclude: exclude, Limit: 10}
		candidates, _, err := store.Retrieve(t.Context(), m, []recommend.Search{search}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(candidates[0]) != 10 {
			t.Errorf("query %d: %d candidates, want 10", i, len(candidates[0]))
		}
	}
}

// The index gives up after a few rows here, and most products are out of stock; a scan completes
// what it found.
func TestRetrieveCompletesWhatAnIndexGivesUp(t *testing.T) {
	t.Parallel()
	dsn := withSettings(t, mustStack(t).mustVectorDatabase(t), "enable_seqscan", "off", "enable_sort", "off",
		"hnsw.max_scan_tuples", "1")
	store := mustVectorStore(t, dsn)
	v := randomVersion("m000000000000004", 2, 2400, 10, 8)
	for i := range v.Items {
		v.Items[i].QuantityInStock = 0
		if i%200 == 0 {
			v.Items[i].QuantityInStock = 1
		}
	}
	if _, err := store.Load(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, t.Context(), dsn, `CREATE INDEX ON model_`+v.ID+`.item USING hnsw (embedding vector_ip_ops);
		UPDATE kindred.model_version SET index_kind = 'hnsw', ef_search = 1; ANALYZE`)
	m := mustGoLive(t, store, v)
	var searches []recommend.Search
	for i := range v.Customers {
		searches = append(searches, recommend.Search{Vector: v.Customers[i].Vector, Limit: 12})
	}
	candidates, _, err := store.Retrieve(t.Context(), m, searches, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, search := range searches {
		var codes []string
		for _, c := range candidates[i] {
			codes = append(codes, c.Code)
		}
		if want := bruteForce(v, search); !slices.Equal(codes, want) {
			t.Errorf("search %d found %v, want %v", i, codes, want)
		}
	}
}

// A session of 10,000 products costs little more than a short one, and a batch over two connections
// answers like one after the other.
func TestLongSessionsAndLargeBatches(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	v := randomVersion("m000000000000005", 2, 800, 30, 16)
	m := mustGoLive(t, store, v)
	var searches []recommend.Search
	var neighbours []recommend.Neighbours
	for i := range 101 {
		customer := v.Customers[i%30].ID
		search := recommend.Search{Vector: v.Customers[i%30].Vector, Customer: &customer, Limit: 10}
		if i%3 == 0 {
			search.Customer = nil
		}
		for n := range i {
			search.Exclude = append(search.Exclude, v.Items[(7*i+n)%800].Code)
		}
		searches, neighbours = append(searches, search), append(neighbours,
			recommend.Neighbours{Code: v.Items[i].Code, Limit: 5})
	}
	together, similar, err := store.Retrieve(t.Context(), m, searches, neighbours)
	if err != nil {
		t.Fatal(err)
	}
	for i := range searches {
		alone, near, err := store.Retrieve(t.Context(), m, searches[i:i+1], neighbours[i:i+1])
		if err != nil || !reflect.DeepEqual(alone[0], together[i]) || !reflect.DeepEqual(near[0], similar[i]) {
			t.Fatalf("search %d answers otherwise alone: %v", i, err)
		}
		var codes []string
		for _, c := range alone[0] {
			codes = append(codes, c.Code)
		}
		if want := bruteForce(v, searches[i]); !slices.Equal(codes, want) {
			t.Fatalf("search %d found %v, want %v", i, codes, want)
		}
	}
	took := func(s recommend.Search) time.Duration {
		best := time.Hour
		for range 7 {
			start := time.Now()
			if _, _, err := store.Retrieve(t.Context(), m, []recommend.Search{s}, nil); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	short, long := searches[5], searches[5]
	long.Exclude = slices.Clone(long.Exclude)
	for i := range 10_000 {
		long.Exclude = append(long.Exclude, fmt.Sprintf("X%07d", i))
	}
	// One by one it took 134 ms of the server's time; hashed about 3 ms, on any machine less than half.
	if a, b := took(short), took(long); b > a+60*time.Millisecond {
		t.Errorf("10,000 excluded products take %v, 5 take %v", b, a)
	}
}

func TestLookupFindsWhatTheVersionKnows(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	v := randomVersion("m000000000000003", 3, 20, 12, 4)
	m := mustGoLive(t, store, v)
	if !slices.Equal(m.Solver.Gram, v.Solver.Gram) || m.Solver.Alpha0 != v.Solver.Alpha0 ||
		!slices.Equal(m.Encoder.Bias, v.Encoder.Bias) {
		t.Error("solver and encoder did not come back as they were loaded")
	}
	found, err := store.Lookup(t.Context(), m, []string{"S000004", "unknown", "S000004"},
		[]string{"100", "101", "9", "0100"}, nil, activity.Order{})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Items) != 1 || !slices.Equal(found.Items["S000004"].Vector, v.Items[4].Vector) {
		t.Errorf("items: %v", found.Items)
	}
	if len(found.Customers) != 2 || found.Customers["101"].Origin != v.Customers[1].Origin ||
		!slices.Equal(found.Customers["101"].Vector, v.Customers[1].Vector) {
		t.Errorf("customers: %v", found.Customers)
	}
	found, err = store.Lookup(t.Context(), m, nil, nil, nil, activity.Order{})
	if err != nil || len(found.Items)+len(found.Customers) != 0 {
		t.Errorf("empty look-up: %v, %v", found, err)
	}
}

func TestReaderOfADroppedVersionIsTold(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	if _, err := store.Traffic(t.Context()); !errors.Is(err, vectorstore.ErrNoLiveVersion) {
		t.Fatalf("nothing is live, got %v", err)
	}
	var models []*recommend.Model
	for i := range 4 {
		models = append(models, mustGoLive(t, store, randomVersion(fmt.Sprintf("m00000000000000%d", i), uint64(i), 10, 2, 4)))
	}
	search := []recommend.Search{{Limit: 1}}
	if _, _, err := store.Retrieve(t.Context(), models[0], search, nil); err != nil {
		t.Fatal(err)
	}
	dropped, err := store.Prune(t.Context(), 0) // live and previous stay all the same
	if err != nil || !slices.Equal(dropped, []string{models[1].Version, models[0].Version}) {
		t.Fatalf("dropped %v, %v", dropped, err)
	}
	_, _, err = store.Retrieve(t.Context(), models[0], search, nil)
	if !errors.Is(err, vectorstore.ErrVersionGone) {
		t.Errorf("dropped version: %v", err)
	}
	if _, err := store.Lookup(t.Context(), models[0], []string{"S000001"}, nil, nil, activity.Order{}); !errors.Is(err,
		vectorstore.ErrVersionGone) {
		t.Errorf("dropped version: %v", err)
	}
	for _, m := range models[2:] {
		if _, _, err := store.Retrieve(t.Context(), m, search, nil); err != nil {
			t.Errorf("kept version %s: %v", m.Version, err)
		}
	}
	if err := store.Promote(t.Context(), models[0].Version, byTest); !errors.Is(err, vectorstore.ErrUnknownVersion) {
		t.Errorf("promote a dropped version: %v", err)
	}
	if _, err := store.Load(t.Context(), randomVersion(models[0].Version, 0, 10, 2, 4)); err != nil { // it may come back
		t.Fatal(err)
	}
	if _, _, err := store.Retrieve(t.Context(), models[0], search, nil); err != nil {
		t.Errorf("loaded again: %v", err)
	}
}
