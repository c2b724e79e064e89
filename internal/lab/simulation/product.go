package simulation

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"kindred/internal/shop"
)

func sqrt(x float64) float64 { return math.Sqrt(max(x, 0)) }

// qualitySpread is the σ of what all customers agree on about a product, in stars.
const qualitySpread = 0.25

// outOfStock is the share of products that cannot be recommended because none is left.
const outOfStock = 0.02

// makeSegments draws the tastes that customers gather around.
func (s *Shop) makeSegments() {
	r := s.random(streamSegments, 0)
	for range s.cfg.Segments {
		s.segments = append(s.segments, gauss(r, s.cfg.Dims))
	}
}

// makeProducts draws the catalogue: line, price, style, popularity, quality.
func (s *Shop) makeProducts() {
	r := s.random(streamProducts, 0)
	centres := make([][]float64, len(productLines))
	for i := range centres {
		centres[i] = gauss(r, s.cfg.Dims)
	}
	type drawn struct {
		product shop.Product
		style   []float64
		quality float64
	}
	all := make([]drawn, s.cfg.Products)
	for i := range all {
		line := pickWeighted(r.Float64(), len(productLines), func(i int) float64 { return productLines[i].share })
		l := productLines[line]
		level := blend(s.cfg.LinePull, centres[line], gauss(r, s.cfg.Dims)) // price level and style, each of σ 1
		msrp := clampCents(l.price*math.Exp(0.45*level[0]), 9_95, 2_999_00)
		style := make([]float64, s.cfg.Dims)
		for d := range style {
			style[d] = level[d] / math.Sqrt(float64(s.cfg.Dims))
		}
		stock := int16(20 + r.IntN(9_900))
		if r.Float64() < outOfStock {
			stock = 0
		}
		scale := l.scales[r.IntN(len(l.scales))]
		name := fmt.Sprintf("%d %s %s", l.from+r.IntN(l.to-l.from), l.makers[r.IntN(len(l.makers))],
			l.models[r.IntN(len(l.models))])
		all[i] = drawn{style: style, quality: qualitySpread * r.NormFloat64(), product: shop.Product{
			Code:            fmt.Sprintf("S%s_%05d", strings.TrimPrefix(scale, "1:"), 1_000+i),
			Name:            name,
			Line:            l.name,
			Scale:           scale,
			Vendor:          vendors[r.IntN(len(vendors))],
			QuantityInStock: stock,
			BuyPrice:        shop.Cents(float64(msrp) * (0.4 + 0.3*r.Float64())),
			MSRP:            msrp,
		}}
	}
	slices.SortFunc(all, func(a, b drawn) int { return strings.Compare(a.product.Code, b.product.Code) })
	s.index = make(map[string]int, len(all))
	for i, d := range all {
		s.products = append(s.products, d.product)
		s.styles = append(s.styles, d.style)
		s.quality = append(s.quality, d.quality)
		s.index[d.product.Code] = i
	}
	s.makePopularity()
}

// headOffset flattens the head of the popularity curve (Zipf–Mandelbrot), as a share of the
// catalogue: no product is rated by everybody.
const headOffset = 0.02

// makePopularity gives each product a random rank. The last ranks are the new arrivals that nobody
// could rate yet.
func (s *Shop) makePopularity() {
	n := len(s.products)
	r := s.random(streamPopularity, 0)
	s.appeal = make([]float64, n)
	for rank, p := range r.Perm(n) {
		s.appeal[p] = -s.cfg.Popularity * math.Log((float64(rank+1)+headOffset*float64(n))/(headOffset*float64(n)))
		if n-rank <= s.unrated() {
			s.appeal[p] = newArrival
		}
	}
}

// newArrival is the appeal of a product that nobody knows yet: below all others, so that it is not chosen.
const newArrival = -30.0

// unrated is the number of products without any rating.
func (s *Shop) unrated() int { return int(math.Ceil(s.cfg.UnratedProducts * float64(len(s.products)))) }

// pickWeighted returns the index below n that u, uniform in [0,1), selects by weight.
func pickWeighted(u float64, n int, weight func(i int) float64) int {
	total := 0.0
	for i := range n {
		total += weight(i)
	}
	u *= total
	for i := range n {
		if u -= weight(i); u < 0 {
			return i
		}
	}
	return n - 1
}

// clampCents turns an amount in currency units to cents within limits.
func clampCents(amount float64, low, high shop.Cents) shop.Cents {
	return min(max(shop.Cents(math.Round(amount*100)), low), high)
}
