// Package sequential compares two arms of an experiment while it runs. It owns the sums of what
// visitors did, the interval of the difference between the arms, and the rule that ends an experiment.
// It knows no records, no database and no model.
//
// The interval is always valid: at a stated error rate, all intervals of an experiment together, however
// often somebody looks, hold the true difference. It is the asymptotic confidence sequence of
// Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
// confidence sequences", The Annals of Statistics 52 (2024), theorem 2.2 (https://arxiv.org/abs/2103.06476).
// An interval of a fixed size of sample, looked at every day, would find a difference between equal arms
// far more often than its error rate says.
//
// The visitor is the unit, because the pages of one visitor resemble each other. So a visitor counts with
// all of their pages, or not yet.
package sequential

import (
	"fmt"
	"math"
)

// Sums are the sums over an arm's visitors that all intervals are made of. Each visitor adds an outcome Y
// (as pages with a hit, or purchases) and a size X (as pages; 1 where the outcome is one of a visitor).
type Sums struct {
	Visitors int64   `json:"visitors"`
	Y        float64 `json:"y"`
	X        float64 `json:"x"`
	YY       float64 `json:"yy"` // of the squares of Y
	XY       float64 `json:"xy"` // of the products
	XX       float64 `json:"xx"` // of the squares of X
	// Seen is how much of the outcome was seen, for MinOutcomes: Y, if Y counts something. Of amounts of money it is
	// how many visitors paid something.
	Seen float64 `json:"seen"`
}

// Add adds a visitor whose Y counts something.
func (s *Sums) Add(y, x float64) {
	s.add(y, x)
	s.Seen += y
}

// AddAmount adds a visitor who paid an amount, or 0. The caller has cut it off at a cap that was fixed before the
// first visitor came: the interval is then one of the mean of what is below the cap. Without a cap, it would not
// hold for amounts whose variance hangs on a few large ones.
func (s *Sums) AddAmount(amount float64) {
	s.add(amount, 1)
	if amount > 0 {
		s.Seen++
	}
}

func (s *Sums) add(y, x float64) {
	s.Visitors++
	s.Y, s.X = s.Y+y, s.X+x
	s.YY, s.XY, s.XX = s.YY+y*y, s.XY+x*y, s.XX+x*x
}

// Rate is the outcome for each unit of size, as hits for each page; 0 without visitors.
func (s Sums) Rate() float64 {
	if s.X == 0 {
		return 0
	}
	return s.Y / s.X
}

// variance is the variance of Rate, clustered by visitor: that of a mean of (Y - Rate·X) / mean of X, as
// the delta method has it.
func (s Sums) variance() float64 {
	if s.Visitors < 2 || s.X == 0 {
		return 0
	}
	rate, n := s.Rate(), float64(s.Visitors)
	squares := s.YY - 2*rate*s.XY + rate*rate*s.XX // the residuals have the mean 0
	return max(squares, 0) / (n - 1) * n / (s.X * s.X)
}

// Limits of a Rule.
const (
	// MinVisitors is how many visitors each arm has before an interval is made: the intervals are
	// asymptotic, and earlier ones would not hold.
	MinVisitors = 200
	// MinOutcomes is how much of the outcome each arm has before an interval is made, for the same reason:
	// of rare purchases, 200 visitors say nothing.
	MinOutcomes = 25
	// tightest is the share of MaxVisitors at which the interval is tightest for its number of visitors.
	tightest = 0.25
)

// Rule says when an experiment ends.
type Rule struct {
	// Error is the error rate, between 0 and 0.5: of so many experiments with equal arms, at most, one arm
	// is called better.
	Error float64 `json:"error_rate"`
	// MaxVisitors is how many visitors both arms have together when an experiment ends without a decision.
	MaxVisitors int64 `json:"max_visitors"`
}

// Check reports a rule that decides nothing.
func (r Rule) Check() error {
	if !(r.Error > 0 && r.Error < 0.5) {
		return fmt.Errorf("the error rate %g is not between 0 and 0.5", r.Error)
	}
	if r.MaxVisitors < 2*MinVisitors {
		return fmt.Errorf("an experiment of %d visitors is too small: the smallest has %d", r.MaxVisitors, 2*MinVisitors)
	}
	return nil
}

// Interval holds the difference of the treatment's rate less the control's, at the rule's error rate.
type Interval struct {
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
}

// String is the difference with its interval.
func (i Interval) String() string {
	return fmt.Sprintf("%+.4f (%+.4f to %+.4f)", i.Difference, i.Low, i.High)
}

// Compare is the interval of the difference, as it is now. ok is false while the arms have too little for
// one; see MinVisitors and MinOutcomes.
func (r Rule) Compare(control, treatment Sums) (i Interval, ok bool) {
	i.Difference = treatment.Rate() - control.Rate()
	if min(control.Visitors, treatment.Visitors) < MinVisitors || min(control.Seen, treatment.Seen) < MinOutcomes {
		return i, false
	}
	n := float64(control.Visitors + treatment.Visitors)
	// What a visitor adds to the variance of the difference: that of the visitor's influence on it, where
	// the arm is drawn anew for each one.
	deviation := math.Sqrt(n * (control.variance() + treatment.variance()))
	width := deviation * r.boundary(n)
	i.Low, i.High = i.Difference-width, i.Difference+width
	return i, true
}

// boundary is half the width of the interval after n visitors whose influence has the deviation 1: the
// theorem's, with the paper's approximation of the ρ that makes it tightest.
func (r Rule) boundary(n float64) float64 {
	best := max(tightest*float64(r.MaxVisitors), 2*MinVisitors)
	rho2 := (-2*math.Log(r.Error) + math.Log(1-2*math.Log(r.Error))) / best
	return math.Sqrt(2 * (n*rho2 + 1) / (n * n * rho2) * math.Log(math.Sqrt(n*rho2+1)/r.Error))
}

// Decision is how an experiment ends.
type Decision string

// The decisions.
const (
	Promote      Decision = "promote"      // the treatment is better
	RollBack     Decision = "roll back"    // the treatment is worse
	Inconclusive Decision = "inconclusive" // there were MaxVisitors, and neither is shown
	Undecided    Decision = "undecided"    // not yet
)

// Decide is the rule, as of now. It may be asked as often as one likes; the first decision that is not
// Undecided counts.
func (r Rule) Decide(control, treatment Sums) Decision {
	i, ok := r.Compare(control, treatment)
	switch {
	case ok && i.Low > 0:
		return Promote
	case ok && i.High < 0:
		return RollBack
	case control.Visitors+treatment.Visitors >= r.MaxVisitors:
		return Inconclusive
	}
	return Undecided
}
