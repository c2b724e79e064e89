package integration

import (
	"cmp"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
	"kindred/internal/serving/rule/ruletest"
)

// The size of TestRulesHoldExactlyInTheDatabase; the acceptance is 10000 and 100000.
var (
	ruleQuestions = flag.Int("rule-questions", 60, "questions with rules to the vector database")
	ruleProducts  = flag.Int("rule-products", 2000, "products of these questions")
)

// TestRulesHoldExactlyInTheDatabase compares random filters, boosts and products to leave out with all products,
// sorted: each answer has as many products as match, up to its limit.
func TestRulesHoldExactlyInTheDatabase(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	all := ruletest.Catalogue(*ruleProducts, 1)
	v := randomVersion("m000000000000019", 19, len(all), 10, 16)
	for i := range v.Items {
		v.Items[i].Code = all[i].ID
	}
	for i := range v.Customers {
		v.Customers[i].Rated = nil
	}
	mustGoLive(t, store, v)
	mustCopyFacts(t, dsn, all)
	traffic, err := store.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(19, 2))
	full, short := 0, 0
	for n := 0; n < *ruleQuestions; n += 10 {
		searches := make([]recommend.Search, 10)
		for i := range searches {
			searches[i] = ruledSearch(t, rng, v, len(all))
		}
		found, _, err := store.Retrieve(t.Context(), traffic.Live, searches, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range searches {
			var want []float64
			for k, it := range v.Items {
				if p := all[k]; p.Available && q.Rules.Allows(p) && !slices.Contains(q.Exclude, it.Code) {
					score := float64(it.Positives)
					if q.Vector != nil {
						score = dot(it.Vector, q.Vector)
					}
					want = append(want, float64(q.Rules.Score(float32(score), p)))
				}
			}
			slices.SortFunc(want, func(a, b float64) int { return cmp.Compare(b, a) })
			want = want[:min(q.Limit, len(want))]
			if len(found[i]) != len(want) {
				t.Fatalf("question %d finds %d products, want %d: %s", n+i, len(found[i]), len(want), q.Rules.Filters[0])
			}
			if len(want) == q.Limit {
				full++
			} else {
				short++
			}
			for k, c := range found[i] {
				p := all[slices.IndexFunc(all, func(p *rule.Product) bool { return p.ID == c.Code })]
				if math.Abs(float64(c.Score)-want[k]) > 1e-5*(1+math.Abs(want[k])) || !p.Available || !q.Rules.Allows(p) ||
					slices.Contains(q.Exclude, c.Code) {
					t.Fatalf("question %d finds at %d %v, want a score of %g: %s", n+i, k, c, want[k], q.Rules.Filters[0])
				}
			}
		}
	}
	if full == 0 || short == 0 {
		t.Errorf("%d answers are full, and %d are not: too few to mean anything", full, short)
	}
}

// ruledSearch draws a question for a catalogue of n products.
func ruledSearch(t *testing.T, rng *rand.Rand, v *modelversion.Version, n int) recommend.Search {
	t.Helper()
	expression := func() *rule.Expr {
		text := ruletest.Filter(rng, n)
		e, err := rule.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return e
	}
	q := recommend.Search{Limit: 1 + rng.IntN(30), Rules: &recommend.Rules{Filters: []*rule.Expr{expression()}}}
	for range rng.IntN(3) {
		q.Rules.Boosts = append(q.Rules.Boosts, rule.Boost{Where: expression(), Factor: math.Pow(10, 2*rng.Float64()-1)})
	}
	if rng.IntN(5) > 0 {
		q.Vector = v.Items[rng.IntN(n)].Vector
	}
	for range rng.IntN(40) {
		q.Exclude = append(q.Exclude, v.Items[rng.IntN(n)].Code)
	}
	return q
}

// mustCopyFacts writes what is known of products into the state.
func mustCopyFacts(t *testing.T, dsn string, all []*rule.Product) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	columns := []string{"id", "name", "brand", "currency", "url", "image", "categories", "price", "stock", "attributes",
		"available", "first_seen", "changed", "written"}
	n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"kindred", "product_state"}, columns,
		pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
			p := all[i]
			var price pgtype.Numeric
			if p.Price != nil {
				if err := price.Scan(p.Price.String()); err != nil {
					return nil, err
				}
			}
			return []any{p.ID, p.Name, p.Brand, p.Currency, p.URL, p.Image, p.Categories, price, p.Stock, p.Attributes,
				p.Available, p.FirstSeen, p.FirstSeen, map[string]any{}}, nil
		}))
	if err != nil || n != int64(len(all)) {
		t.Fatalf("copied %d of %d: %v", n, len(all), err)
	}
}
