package inmemory

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelfile"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/scan"
	"kindred/internal/serving/rule"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// factless is a database that gives no facts, and keeps what it was asked.
type factless struct {
	*fakeDatabase

	searches   []recommend.Search
	neighbours []recommend.Neighbours
	away       error
}

func (f *factless) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	f.searches, f.neighbours = append(f.searches, searches...), append(f.neighbours, neighbours...)
	return f.fakeDatabase.Retrieve(ctx, m, searches, neighbours)
}

func (f *factless) Stated(context.Context, string, string, int) ([]vectorstore.Stated, error) {
	return nil, errors.New("not yet")
}

func (f *factless) TrafficSince(ctx context.Context, since vectorstore.Since, versions []string) (recommend.Traffic,
	vectorstore.Changes, error) {
	if f.away != nil {
		return recommend.Traffic{}, vectorstore.Changes{}, f.away
	}
	return f.fakeDatabase.TrafficSince(ctx, since, versions)
}

func (f *factless) Traffic(ctx context.Context) (recommend.Traffic, error) {
	if f.away != nil {
		return recommend.Traffic{}, f.away
	}
	return f.fakeDatabase.Traffic(ctx)
}

// mustFactless has the first version in memory, and no facts of its products.
func mustFactless(t *testing.T) (*bundle, *factless, *recommend.Model) {
	t.Helper()
	b := setup(t, math.MaxInt64)
	db := &factless{fakeDatabase: b.db}
	b.Store = newStore(db, b.files, math.MaxInt64, slog.New(slog.NewTextHandler(b.log, nil)),
		func() time.Time { return b.now })
	b.AnswerStale(time.Hour)
	traffic, err := b.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.steps(t)
	if len(b.Held()) != 1 {
		t.Fatalf("nothing is in memory: %s", b.log)
	}
	return b, db, traffic.Live
}

func mustCompile(t *testing.T, text string) *rule.Expr {
	t.Helper()
	e, err := rule.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestOnlyRulesAskTheDatabase: until the facts are in memory, the database answers what has rules, and nothing else
// of the same batch.
func TestOnlyRulesAskTheDatabase(t *testing.T) {
	t.Parallel()
	b, db, live := mustFactless(t)
	rules := &recommend.Rules{Filters: []*rule.Expr{mustCompile(t, `product.available`)}}
	ruled := func(is bool) *recommend.Rules {
		if is {
			return rules
		}
		return nil
	}
	rapid.Check(t, func(rt *rapid.T) {
		var searches []recommend.Search
		var neighbours []recommend.Neighbours
		wantSearches, wantNeighbours := 0, 0
		for i, is := range rapid.SliceOfN(rapid.Bool(), 0, 6).Draw(rt, "searches") {
			searches = append(searches, recommend.Search{Vector: version(first).Items[i].Vector, Limit: i + 1, Rules: ruled(is)})
			if is {
				wantSearches++
			}
		}
		for i, is := range rapid.SliceOfN(rapid.Bool(), 0, 6).Draw(rt, "neighbours") {
			neighbours = append(neighbours, recommend.Neighbours{Code: version(first).Items[i].Code, Limit: i + 1,
				Rules: ruled(is)})
			if is {
				wantNeighbours++
			}
		}
		want, wantSimilar, err := b.db.Store.Retrieve(rt.Context(), live, searches, neighbours)
		if err != nil {
			rt.Fatal(err)
		}
		db.searches, db.neighbours = nil, nil
		found, similar, err := b.Retrieve(rt.Context(), live, searches, neighbours)
		if err != nil {
			rt.Fatal(err)
		}
		if len(db.searches) != wantSearches || len(db.neighbours) != wantNeighbours ||
			slices.ContainsFunc(db.searches, func(q recommend.Search) bool { return q.Rules == nil }) {
			rt.Fatalf("the database was asked %d searches and %d neighbours, want %d and %d", len(db.searches),
				len(db.neighbours), wantSearches, wantNeighbours)
		}
		for i, list := range found {
			if diff := cmp.Diff(codesOf(want[i]), codesOf(list)); diff != "" {
				rt.Fatalf("search %d: %s", i, diff)
			}
		}
		for i, list := range similar {
			if len(list) != len(wantSimilar[i]) || list[0].Code != wantSimilar[i][0].Code {
				rt.Fatalf("neighbours %d: %v, want %v", i, list, wantSimilar[i])
			}
		}
	})
}

func codesOf(found []recommend.Candidate) (codes []string) {
	for _, c := range found {
		codes = append(codes, c.Code)
	}
	return codes
}

// TestStaleRulesWithoutFactsAreNamed: so that whoever asked for several can ask for the others.
func TestStaleRulesWithoutFactsAreNamed(t *testing.T) {
	t.Parallel()
	b, db, _ := mustFactless(t)
	if _, err := b.Traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.away = errDown
	traffic, err := b.Traffic(t.Context())
	if err != nil || !traffic.Stale {
		t.Fatalf("%+v, %v", traffic, err)
	}
	search := recommend.Search{Limit: 3, Rules: &recommend.Rules{Filters: []*rule.Expr{mustCompile(t, `product.stock > 1`)}}}
	if _, _, err := b.Retrieve(t.Context(), traffic.Live, []recommend.Search{search}, nil); !errors.Is(err,
		recommend.ErrNoFacts) {
		t.Errorf("with rules: %v", err)
	}
	search.Rules = nil
	if found, _, err := b.Retrieve(t.Context(), traffic.Live, []recommend.Search{search}, nil); err != nil ||
		len(found[0]) != 3 {
		t.Errorf("without rules: %v, %v", found, err)
	}
}

// stating is a database that says something of products.
type stating struct {
	*outages

	said []vectorstore.Stated
}

func (s stating) Stated(_ context.Context, _, after string, _ int) ([]vectorstore.Stated, error) {
	i := slices.IndexFunc(s.said, func(one vectorstore.Stated) bool { return one.ID > after })
	if i < 0 {
		return nil, nil
	}
	return s.said[i:], nil
}

// TestStaleListsOfGivenProductsKeepRules: as the database keeps them, once their facts are in memory; without them, and
// of other lists, nobody knows.
func TestStaleListsOfGivenProductsKeepRules(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	o := &outages{fakeDatabase: b.db, at: time.Now()}
	said := stating{outages: o}
	var state recommend.State
	saidOf := map[string]map[activity.Field]any{
		"L1_03": {activity.FieldBrand: "own", activity.FieldPrice: "12.5", activity.FieldCategories: []string{"a", "b"}},
		"L2_07": {activity.FieldBrand: "own", activity.FieldPrice: "9.99"}, "L2_08": {activity.FieldAvailable: false},
	}
	for _, it := range version(first).Items {
		one := vectorstore.Stated{}
		values, known := saidOf[it.Code]
		if known {
			state.Products = append(state.Products, activity.ProductWrite{ID: it.Code, Order: activity.Order{At: time.Now()},
				Values: values})
			one.Shown = new(values[activity.FieldAvailable] != false)
		}
		one.Product = recommend.FactsOf(it.Code, values, false, time.Now())
		if one.Name = &it.Name; one.Categories == nil {
			one.Categories = []string{it.Line}
		}
		said.said = append(said.said, one)
	}
	b.db.shown = func() map[string]*bool { return map[string]*bool{"L2_08": new(false)} }
	slices.SortFunc(said.said, func(a, b vectorstore.Stated) int { return strings.Compare(a.ID, b.ID) })
	if err := b.db.WriteState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	b.Store = newStore(said, b.files, math.MaxInt64, slog.New(slog.NewTextHandler(b.log, nil)), o.now)
	b.AnswerStale(time.Minute)
	b.ask(t)
	b.steps(t)
	model := func() *recommend.Model {
		t.Helper()
		traffic, err := b.Traffic(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return traffic.Live
	}
	rules := &recommend.Rules{Filters: []*rule.Expr{mustCompile(t, `!(product.price < 10)`)},
		Boosts: []rule.Boost{{Where: mustCompile(t, `product.brand == "own"`), Factor: 3}},
		Marks:  []*rule.Expr{mustCompile(t, `product.available`)}, By: recommend.ByCategory}
	var questions []recommend.ListQuery
	for _, whole := range []bool{false, true} {
		q := recommend.ListQuery{Limit: 10, Rules: rules, GivenWhole: whole, Exclude: []string{"L1_04"}}
		for i, code := range []string{"L1_03", "L2_07", "L2_08", "L1_04", "L0_00", "L3_05", "unknown"} {
			q.Given = append(q.Given, recommend.Listed{Code: code, Score: float32(i) - 2})
		}
		questions = append(questions, q)
	}
	fresh := model()
	var want [][]recommend.Listed
	for _, q := range questions {
		listed, err := b.List(t.Context(), fresh, q)
		if err != nil || len(listed) < 2 {
			t.Fatalf("%+v, %v", listed, err)
		}
		want = append(want, listed)
	}
	b.steps(t) // the question made the memory want the facts
	model()
	if !slices.Equal(b.Ruled(), []string{first}) {
		t.Fatalf("the facts are not in memory: %s", b.log)
	}
	o.set(errDown, false, time.Second)
	stale := model()
	for i, q := range questions {
		listed, err := b.List(t.Context(), stale, q)
		if diff := cmp.Diff(want[i], listed, cmpopts.EquateEmpty()); !stale.Stale || err != nil || diff != "" {
			t.Errorf("whole %v: %v\n%s", q.GivenWhole, err, diff)
		}
	}
	if _, err := b.List(t.Context(), stale, recommend.ListQuery{List: activity.SourceNew, Limit: 1}); !errors.Is(err,
		recommend.ErrNoFacts) {
		t.Errorf("another list: %v", err)
	}
}

// TestFactsMakeRoomForACanary: a version that fits without the facts comes into memory, and they come back.
func TestFactsMakeRoomForACanary(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	b.ask(t)
	b.wantFacts()
	b.steps(t)
	if !slices.Equal(b.Ruled(), []string{first}) {
		t.Fatalf("the facts are not in memory: %s", b.log)
	}
	manifest, err := b.files.ReadRange(t.Context(), modelfile.ManifestKey(second), 0, rangeBytes)
	if err != nil {
		t.Fatal(err)
	}
	files, err := modelfile.ProductFiles(manifest, second)
	if err != nil {
		t.Fatal(err)
	}
	_, takes, _ := b.missing()
	solver := version(second).Solver
	b.loader.budget = takes.all + scan.Bytes(b.db.products, solver.Dim, solver.Neighbours) +
		max(files.Items.Bytes, files.Near.Bytes) - 1
	b.db.SetCanary(memory.New(version(second)), 0.5)
	b.ask(t)
	b.steps(t)
	if !slices.Equal(b.Held(), []string{first, second}) || !slices.Contains(b.Ruled(), first) {
		t.Errorf("in memory: %v, with facts: %v: %s", b.Held(), b.Ruled(), b.log)
	}
}
