package rule_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"kindred/internal/serving/rule"
	"kindred/internal/serving/rule/ruletest"
)

var (
	catalogue = flag.Int("rule-products", 5_000, "products of TestManyFilters")
	filters   = flag.Int("rule-filters", 300, "filters of TestManyFilters")
)

// shop is the facts of so many products.
func shop(n int) *rule.Columns {
	c := rule.NewColumns(n)
	fill(c, n, 1)
	return c
}

func fill(c *rule.Columns, n int, seed uint64) {
	for i, p := range ruletest.Catalogue(n, seed) {
		c.Set(int32(i), p)
	}
}

// TestManyFilters: of a shop's products, a mask has exactly those that the filter holds for, from one in
// 10,000 to all of them. It tells how long masks take, the best of five times.
func TestManyFilters(t *testing.T) {
	t.Parallel()
	products, rng := ruletest.Catalogue(*catalogue, 1), rand.New(rand.NewPCG(3, 4))
	c := rule.NewColumns(len(products))
	for i, p := range products {
		c.Set(int32(i), p)
	}
	var m rule.Mask
	var took []time.Duration
	found := map[int]int{} // by the power of ten of the share
	for range *filters {
		text := ruletest.Filter(rng, len(products))
		e, err := rule.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		best := time.Hour
		for range 5 { // other programs take turns with this one
			begun := time.Now()
			m = e.Mask(c, m)
			best = min(best, time.Since(begun))
		}
		took = append(took, best)
		n := 0
		for i, p := range products {
			want := e.Match(p)
			if m.Has(int32(i)) != want {
				t.Fatalf("%s: product %d: mask %v, match %v", text, i, m.Has(int32(i)), want)
			}
			if want {
				n++
			}
		}
		if m.Count() != n {
			t.Fatalf("%s: the mask has %d products, not %d", text, m.Count(), n)
		}
		if n > 0 {
			found[int(math.Floor(math.Log10(float64(n)/float64(len(products)))))]++
		}
	}
	slices.Sort(took)
	t.Logf("p50 %v, p95 %v; filters by the power of ten of the share that they let through: %v", took[len(took)/2],
		took[len(took)*95/100], found)
	for power := -3; power < 0; power++ {
		if found[power] == 0 {
			t.Errorf("no filter let through a share from 1e%d on: %v", power, found)
		}
	}
}

// TestMemory: Bytes is about what columns take, and products that change again and again do not make them
// grow.
func TestMemory(t *testing.T) { // not parallel: what other tests allocate would be counted
	const n = 5_000
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	c := shop(n)
	for rounds := range 4 {
		taken := heap() - before
		if said := c.Bytes(); taken > said*3/2 || taken < said/2 {
			t.Errorf("after %d rounds columns say %d bytes and take %d", rounds, said, taken)
		}
		for i := range 5 {
			fill(c, n, uint64(5*rounds+i+2))
		}
	}
	if fresh := shop(n).Bytes(); c.Bytes() > 2*fresh {
		t.Errorf("columns that changed say %d bytes, fresh ones %d", c.Bytes(), fresh)
	}
	runtime.KeepAlive(c)
}

func BenchmarkMask(b *testing.B) {
	c := shop(100_000)
	for _, text := range []string{
		`product.available && product.price < 20.0 && "category 7" in product.categories`,
		`product.available && product.price < 150.0 && product.brand != "Brand 7"`,
		`product.price > 20.0 && product.stock > 3 && product.first_seen > timestamp("2025-03-01T00:00:00Z")`,
		`product.available`, `product.price < 100.0`, `product.price != 100.0`, `product.brand in ["Brand 1", "Brand 2"]`,
		`product.brand != "Brand 1"`, `product.brand.startsWith("Brand 1")`, `product.currency == "EUR"`,
		`product.attributes.colour == "colour 3"`, `product.attributes.weight < 200`,
		`product.id in ["S0000001", "S0099999"]`,
		`product.name.startsWith("Product 77")`, `!(product.available && product.price < 20.0) || product.brand == "Brand 9"`,
	} {
		e, err := rule.Compile(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(e.String(), func(b *testing.B) {
			var m rule.Mask
			b.ReportAllocs()
			for b.Loop() {
				m = e.Mask(c, m)
			}
			b.ReportMetric(float64(m.Count())/1000, "%held")
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := rule.Compile(`product.price < 20.0 && "trains" in product.categories && product.available`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	for b.Loop() {
		c := shop(100_000)
		b.ReportMetric(float64(c.Bytes())/1e6, "MB")
	}
}
