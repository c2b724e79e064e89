package rule_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"kindred/internal/serving/rule"
)

// shop is the facts of so many products: 200 brands, 3 of 300 categories each, two attributes.
func shop(n int) *rule.Columns {
	c := rule.NewColumns(n)
	fill(c, n, 1)
	return c
}

func fill(c *rule.Columns, n int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		text := func(format string, of int) *string { s := fmt.Sprintf(format, rng.IntN(of)); return &s }
		price, stock := rule.Decimal(rng.IntN(2_000_000)), int64(rng.IntN(100))
		p := &rule.Product{ID: fmt.Sprintf("S%07d", i), Name: text("Product %d", 1e6), Brand: text("Brand %d", 200),
			Currency: text("EUR%.0d", 1), URL: text("https://shop.example/%d", 1e6), Price: &price, Stock: &stock,
			Attributes: map[string]any{"colour": *text("colour %d", 12), "weight": float64(rng.IntN(5000))},
			Available:  rng.IntN(10) > 0, FirstSeen: time.Unix(1_700_000_000+rng.Int64N(1e8), 0)}
		for range 3 {
			p.Categories = append(p.Categories, *text("category %d", 300))
		}
		c.Set(int32(i), p)
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
		`product.price > 20.0 && product.stock > 3 && product.first_seen > timestamp("2024-01-01T00:00:00Z")`,
		`product.available`, `product.price < 100.0`, `product.price != 100.0`, `product.brand in ["Brand 1", "Brand 2"]`,
		`product.brand != "Brand 1"`, `product.brand.startsWith("Brand 1")`, `product.currency == "EUR"`,
		`product.attributes.colour == "colour 3"`, `product.attributes.weight < 2000`,
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
