package ruletest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"kindred/internal/serving/rule"
)

// Start is the earliest time at which a product of a Catalogue was seen first. Seen is how long after it the
// last one was.
var (
	Start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	Seen  = 365 * 24 * time.Hour
)

// Catalogue makes n products as a shop has them: few brands and categories have most products, a tenth cannot be
// bought, and of some products little is known. Ids ascend. The same arguments give the same products.
func Catalogue(n int, seed uint64) []*rule.Product {
	rng := rand.New(rand.NewPCG(seed, 5))
	text := func(format string, values ...any) *string { s := fmt.Sprintf(format, values...); return &s }
	all := make([]*rule.Product, n)
	for i := range all {
		price, stock := rule.Decimal(math.Exp(3+rng.NormFloat64())*10_000), int64(rng.IntN(100))
		p := &rule.Product{ID: fmt.Sprintf("S%07d", i),
			Name:  text("Product %d of line %d", rng.IntN(1_000_000), rng.IntN(50)),
			Brand: text("Brand %d", frequent(rng, 200)), Currency: text("EUR"), Price: &price, Stock: &stock,
			URL:        text("https://shop.example/%d", i),
			Attributes: map[string]any{"colour": fmt.Sprint("colour ", rng.IntN(12)), "weight": float64(rng.IntN(5000)) / 10},
			Available:  rng.IntN(10) > 0,
			FirstSeen:  Start.Add(time.Duration(rng.Int64N(int64(Seen)))).Truncate(time.Microsecond)}
		for range 1 + rng.IntN(4) {
			p.Categories = append(p.Categories, fmt.Sprint("category ", frequent(rng, 300)))
		}
		if rng.IntN(20) == 0 {
			p.Price, p.Brand, p.Attributes = nil, nil, nil
		}
		all[i] = p
	}
	return all
}

// frequent is a number below n, mostly a small one.
func frequent(rng *rand.Rand, n int) int { return int(math.Pow(float64(n), rng.Float64())) - 1 }

// Filter draws a filter for a Catalogue of n products. Its parts hold for one product in 10,000 up to all of them.
func Filter(rng *rand.Rand, n int) string {
	parts := make([]string, 1+rng.IntN(3))
	for i := range parts {
		parts[i] = part(rng, n)
		if rng.IntN(8) == 0 {
			parts[i] = "(" + parts[i] + " || " + part(rng, n) + ")"
		}
		if rng.IntN(8) == 0 {
			parts[i] = "!(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " && ")
}

func part(rng *rand.Rand, n int) string {
	sign := []string{"<", ">="}[rng.IntN(2)]
	share := math.Pow(10, -4*rng.Float64())
	switch rng.IntN(12) {
	case 0:
		return "product.available"
	case 1, 2:
		return fmt.Sprintf("product.price %s %.2f", sign, math.Exp(3+rng.NormFloat64()))
	case 3:
		return fmt.Sprintf("product.stock %s %d", sign, rng.IntN(100))
	case 4, 5:
		return fmt.Sprintf(`"category %d" in product.categories`, frequent(rng, 300))
	case 6:
		return fmt.Sprintf(`product.brand in ["Brand %d", "Brand %d"]`, frequent(rng, 200), frequent(rng, 200))
	case 7:
		return fmt.Sprintf(`product.brand != "Brand %d"`, frequent(rng, 200))
	case 8:
		return fmt.Sprintf(`product.attributes.colour == "colour %d"`, rng.IntN(12))
	case 9:
		return fmt.Sprintf("product.attributes.weight %s %d", sign, rng.IntN(500))
	case 10:
		return fmt.Sprintf(`product.first_seen >= timestamp("%s")`,
			Start.Add(time.Duration((1-share)*float64(Seen))).Format(time.RFC3339))
	}
	if rng.IntN(4) == 0 {
		return fmt.Sprintf(`product.name.startsWith("Product %d")`, rng.IntN(100))
	}
	return fmt.Sprintf(`product.id in ["S%07d", "S%07d", "S%07d"]`, rng.IntN(n), rng.IntN(n), rng.IntN(n))
}
