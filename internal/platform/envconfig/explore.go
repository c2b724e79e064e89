package envconfig

import "fmt"

// Explore says how much of an answer may be products that the model version does not know yet.
type Explore struct {
	// Share is of the products of an answer. The default is one of the ten that an answer has.
	Share float64 `name:"explore-share" env:"EXPLORE_SHARE" envDefault:"0.1" default:"0.1" placeholder:"SHARE" help:"Share of an answer, from 0 to 0.5, that may be new products: products that the live version does not know. An answer with n products has at most SHARE × n new ones, rounded down. Below 0.1 there are none, because an answer has ten products."`
}

// largestExplored leaves at least half of an answer to what the model has learned.
const largestExplored = 0.5

// Check refuses a share out of bounds.
func (e Explore) Check() error {
	if !(e.Share >= 0 && e.Share <= largestExplored) { // NaN too
		return fmt.Errorf("EXPLORE_SHARE is %g, want 0 to %g", e.Share, largestExplored)
	}
	return nil
}
