package rule

import "fmt"

// Bounds of what boosts do to a score, one of them and all together.
const (
	MinFactor = 0.1
	MaxFactor = 10
)

// Boost brings the products that it is about forward (a factor above 1) or back.
type Boost struct {
	Where  *Expr
	Factor float64 // MinFactor to MaxFactor
}

// Check reports a boost without a condition, or a factor that is out of bounds.
func (b Boost) Check() error {
	if b.Where == nil {
		return fmt.Errorf("the boost by %g has no condition", b.Factor)
	}
	if !(b.Factor >= MinFactor && b.Factor <= MaxFactor) {
		return fmt.Errorf("a boost's factor is %g, want %g to %d", b.Factor, MinFactor, MaxFactor)
	}
	return nil
}

// Factor is what boosts together do to a product: the product of the factors of those that hold, within
// the bounds. holds says of each boost, by its number, whether it does.
func Factor(boosts []Boost, holds func(n int) bool) float32 {
	factor := 1.0
	for n, b := range boosts {
		if holds(n) {
			factor *= b.Factor
		}
	}
	return float32(min(max(factor, MinFactor), MaxFactor))
}

// Boosted is a score after boosts: a larger factor never gives a lower score, and never exchanges two
// products with the same factor.
func Boosted(score, factor float32) float32 {
	if score < 0 {
		return score / factor
	}
	return score * factor
}
