package scan

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
)

// questions and products are the size of TestRulesHoldExactly: the acceptance is 10000 and 100000.
var (
	questions = flag.Int("questions", 300, "questions of TestRulesHoldExactly")
	products  = flag.Int("products", 5000, "its products")
)

// someProduct has a brand, a price and some categories, each of another frequency.
func someProduct(rng *rand.Rand, code string, stocked bool) *rule.Product {
	p := &rule.Product{ID: code, Available: stocked}
	brand := fmt.Sprint("b", int(math.Floor(math.Pow(2, 10*rng.Float64()))))
	price := rule.Decimal(rng.Int64N(1_000_000))
	p.Brand, p.Price = &brand, &price
	for range rng.IntN(4) {
		p.Categories = append(p.Categories, fmt.Sprint("c", int(math.Floor(math.Pow(2, 6*rng.Float64())))))
	}
	return p
}

// someRule matches from one product in 10,000 to all of them.
func someRule(rng *rand.Rand) *rule.Expr {
	text := []string{fmt.Sprintf(`product.price < %.4f`, 100*math.Pow(10, -4*rng.Float64())),
		fmt.Sprintf(`product.brand == "b%d"`, 1+rng.IntN(1000)), fmt.Sprintf(`"c%d" in product.categories`, 1+rng.IntN(60)),
		fmt.Sprintf(`product.price >= %.4f && !("c1" in product.categories)`, 100*rng.Float64()),
		`product.id != ""`, `product.id == ""`}[rng.IntN(6)]
	e, err := rule.Compile(text)
	if err != nil {
		panic(err) // they are sound
	}
	return e
}

func someRules(rng *rand.Rand) *recommend.Rules {
	r := &recommend.Rules{Filters: []*rule.Expr{someRule(rng)}, Marks: []*rule.Expr{someRule(rng)}, By: recommend.ByBrand}
	for range rng.IntN(3) {
		r.Boosts = append(r.Boosts, rule.Boost{Where: someRule(rng), Factor: math.Pow(10, 2*rng.Float64()-1)})
	}
	return r
}

// ruledIndex is an index with facts, and the products that they are of.
func ruledIndex(t interface{ Fatal(...any) }, rng *rand.Rand, items, dim int, near bool) (*modelversion.Version, *Index,
	*Facts, []*rule.Product) {
	v := randomVersion(rng, items, dim, false, near)
	x := mustIndex(t, v)
	f, all := NewFacts(x, x.Shown(nil)), make([]*rule.Product, items)
	for i, it := range v.Items {
		all[i] = someProduct(rng, it.Code, it.QuantityInStock > 0)
		f.Set(all[i])
	}
	return v, x, f, all
}

// TestRulesHoldExactly compares random filters, boosts and products to leave out with all products, sorted: each
// answer has as many products as match, up to its limit.
func TestRulesHoldExactly(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(19, 1))
	v, x, f, all := ruledIndex(t, rng, *products, 16, true)
	shown := x.Shown(nil)
	for n := 0; n < *questions; n += 20 {
		var searches []recommend.Search
		for range 20 {
			q := recommend.Search{Limit: 1 + rng.IntN(30), Rules: someRules(rng)}
			if rng.IntN(5) > 0 {
				q.Vector = v.Items[rng.IntN(len(v.Items))].Vector
				q.Added = v.Near.Items[rng.IntN(len(v.Items))]
			}
			for range rng.IntN(40) {
				q.Exclude = append(q.Exclude, v.Items[rng.IntN(len(v.Items))].Code)
			}
			searches = append(searches, q)
		}
		found, _ := x.Retrieve(searches, make([][]int32, 20), nil, shown, nil, f)
		for i, q := range searches {
			want := bruteForce(v, all, q)
			if len(found[i]) != len(want) {
				t.Fatalf("question %d finds %d products, want %d: %v", n+i, len(found[i]), len(want), q.Rules.Filters)
			}
			for k, c := range found[i] {
				p := all[c.Item]
				if math.Abs(float64(c.Score-want[k].Score)) > 1e-5*(1+math.Abs(float64(c.Score))) || !q.Rules.Allows(p) ||
					!p.Available || slices.Contains(q.Exclude, c.Code) || c.Marks[0] != q.Rules.Marks[0].Match(p) ||
					c.Labels[0] != *p.Brand {
					t.Fatalf("question %d finds at %d %v, want %v", n+i, k, c, want[k])
				}
			}
		}
	}
}

func bruteForce(v *modelversion.Version, all []*rule.Product, q recommend.Search) (found []recommend.Candidate) {
	added := map[int32]float32{}
	for _, n := range q.Added {
		added[n.Item] = n.Weight
	}
	for i, it := range v.Items {
		if !all[i].Available || !q.Rules.Allows(all[i]) || slices.Contains(q.Exclude, it.Code) {
			continue
		}
		score := float32(it.Positives)
		if q.Vector != nil {
			score = product(q.Vector, it.Vector) + added[int32(i)]
		}
		found = append(found, recommend.Candidate{Item: int32(i), Code: it.Code, Score: q.Rules.Score(score, all[i])})
	}
	slices.SortStableFunc(found, func(a, b recommend.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return found[:min(q.Limit, len(found))]
}

// TestFactsMayChangeWhileTheyAreAsked runs under the race detector.
func TestFactsMayChangeWhileTheyAreAsked(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(19, 2))
	v, x, f, all := ruledIndex(t, rng, 600, 8, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			f.Set(all[i%len(all)])
		}
	}()
	rules := someRules(rng)
	for range 50 {
		x.Retrieve([]recommend.Search{{Limit: 10, Vector: v.Items[0].Vector, Rules: rules}}, make([][]int32, 1),
			[]recommend.Neighbours{{Code: v.Items[3].Code, Limit: 4, Rules: rules}}, x.Shown(nil), nil, f)
	}
	<-done
}

// BenchmarkRuled asks for 10 of 100,000 products, one question after the other, without rules and with filters
// that match a share of them. The 95th percentile is in microseconds.
func BenchmarkRuled(b *testing.B) {
	rng := rand.New(rand.NewPCG(19, 3))
	v, x, f, _ := ruledIndex(b, rng, 100_000, 64, false)
	shown := x.Shown(nil)
	for _, test := range []struct {
		name, filter string
		boost        bool
	}{{name: "none"}, {name: "all", filter: `product.id != ""`}, {name: "50%", filter: `product.price < 50.0`},
		{name: "10%", filter: `product.price < 10.0`}, {name: "1%", filter: `product.price < 1.0`},
		{name: "0.1%", filter: `product.price < 0.1`}, {name: "0.01%", filter: `product.price < 0.01`},
		{name: "10% of two", filter: `product.price < 20.0 && !("c1" in product.categories)`},
		{name: "boost", boost: true}} {
		b.Run(test.name, func(b *testing.B) {
			var took []time.Duration
			for n := 0; b.Loop(); n++ {
				q := recommend.Search{Limit: 10, Vector: v.Items[n%len(v.Items)].Vector}
				start := time.Now()
				if test.filter != "" || test.boost {
					q.Rules = rulesOf(b, test.filter, test.boost)
				}
				x.Retrieve([]recommend.Search{q}, make([][]int32, 1), nil, shown, nil, f)
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
		})
	}
}

// rulesOf are rules that nobody has asked with before.
func rulesOf(b *testing.B, filter string, boost bool) *recommend.Rules {
	r := &recommend.Rules{}
	compile := func(text string) *rule.Expr {
		e, err := rule.Compile(text)
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	if filter != "" {
		r.Filters = append(r.Filters, compile(filter))
	}
	if boost {
		r.Boosts = append(r.Boosts, rule.Boost{Where: compile(`product.price < 10.0`), Factor: 2})
	}
	return r
}
