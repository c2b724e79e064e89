package modelversion

import (
	"errors"
	"fmt"
	"math"
)

// LongestSession is how many of a session's last clicks count in a version with Clicks.
const LongestSession = 15

// Clicks say how the order of a session's clicks counts (docs/decisions/0065). A product of the session
// counts by its last click, and by how many clicks came after that, its ago: 0 for the newest click.
type Clicks struct {
	Recency float64 `json:"recency"` // what each later click leaves of a product's weight among the vectors, 0 to 1
	Fading  float64 `json:"fading"`  // what each later click leaves of a product's list of neighbours, 0 to 1
	Again   float64 `json:"again"`   // what the product before the last one adds to its own score; 0: nothing
	Memory  float64 `json:"memory"`  // what each later click leaves of that, 0 to 1
	// Last is what the newest product adds to its own score. Negative: it is not recommended.
	Last float64 `json:"last"`
}

// View is the share that a product keeps of its weight among the vectors.
func (c *Clicks) View(ago int) float64 { return math.Pow(c.Recency, float64(ago)) }

// Near is the share that a product keeps of the weight of its neighbours.
func (c *Clicks) Near(ago int) float64 { return math.Pow(c.Fading, float64(ago)) }

// Itself is what a product adds to its own score.
func (c *Clicks) Itself(ago int) float64 {
	if ago == 0 {
		return max(c.Last, 0)
	}
	return c.Again * math.Pow(c.Memory, float64(ago-1))
}

// validateClicks reports the first fault of Solver.Clicks; nil: there is none.
func (v *Version) validateClicks() error {
	c := v.Solver.Clicks
	if c == nil {
		return nil
	}
	if v.Near == nil {
		return errors.New("its solver reads the order of clicks, and it has no neighbours")
	}
	for _, share := range []float64{c.Recency, c.Fading, c.Memory} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("a later click leaves %g, want 0 to 1", share)
		}
	}
	if !(c.Again >= 0) || !Finite(c.Again, c.Last) {
		return fmt.Errorf("a product that was clicked adds %g to itself, and the last one %g", c.Again, c.Last)
	}
	return nil
}
