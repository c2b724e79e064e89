package sequential_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"kindred/internal/model/sequential"
	"kindred/internal/platform/parallel"
)

// Larger numbers of the simulations; make test-pages has those of docs/decisions/0074.
var (
	equalArms = flag.Int("equal-arms", 200, "simulated experiments whose arms are equal")
	unequal   = flag.Int("unequal-arms", 40, "simulated experiments of each kind whose arms differ by 3 points")
)

const (
	errorRate   = 0.05
	maxVisitors = 20_000
	points      = 0.03 // of the pages
	peek        = 20   // visitors between two looks
)

// shopper is a visitor as the simulation has them: with a liking of their own, so that the pages of one
// resemble each other; and those who like more look at more pages.
func shopper(rng *rand.Rand, better float64) (hits, pages float64) {
	// A Beta(2, 5) as the second smallest of 6 uniform numbers: a mean of 2/7, a deviation of 0.16.
	low, second := 1.0, 1.0
	for range 6 {
		switch u := rng.Float64(); {
		case u < low:
			low, second = u, low
		case u < second:
			second = u
		}
	}
	liking := min(max(0.05+0.8*second+better, 0), 1)
	for next := true; next; next = rng.Float64() < 0.6+0.3*second && pages < 100 {
		pages++
		if rng.Float64() < liking {
			hits++
		}
	}
	return hits, pages
}

// outcome is one experiment, looked at all the time.
type outcome struct {
	decision    sequential.Decision
	hits, pages float64
}

func experiment(seed uint64, better, share float64) outcome {
	rng := rand.New(rand.NewPCG(seed, 74))
	rule := sequential.Rule{Error: errorRate, MaxVisitors: maxVisitors}
	var control, treatment sequential.Sums
	for visitors := 1; ; visitors++ {
		if rng.Float64() < share {
			treatment.Add(shopper(rng, better))
		} else {
			control.Add(shopper(rng, 0))
		}
		if visitors%peek > 0 && visitors < maxVisitors {
			continue
		}
		if d := rule.Decide(control, treatment); d != sequential.Undecided {
			return outcome{d, control.Y + treatment.Y, control.X + treatment.X}
		}
	}
}

func experiments(count int, better, share float64) (found map[sequential.Decision]int, hits, pages float64) {
	all := make([]outcome, count)
	parallel.Each(count, func(i int) { all[i] = experiment(uint64(i), better, share) })
	found = map[sequential.Decision]int{}
	for _, o := range all {
		found[o.decision]++
		hits, pages = hits+o.hits/float64(count), pages+o.pages/float64(count)
	}
	return found, hits, pages
}

// TestEqualArmsAreSeldomToldApart: not more often than the error rate says, although somebody looks after
// every 20 visitors.
func TestEqualArmsAreSeldomToldApart(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.5, 0.1} {
		found, hits, pages := experiments(*equalArms, 0, share)
		t.Logf("share %g: %d experiments with equal arms: %v, %.0f pages each, a hit on %.1f %% of them", share, *equalArms,
			found, pages, 100*hits/pages)
		if wrong := found[sequential.Promote] + found[sequential.RollBack]; float64(wrong) > errorRate*float64(*equalArms) {
			t.Errorf("share %g: %d of %d experiments with equal arms told them apart", share, wrong, *equalArms)
		}
	}
}

// TestThreePointsAreFound: an arm whose pages have a hit 3 points more often, or less often.
func TestThreePointsAreFound(t *testing.T) {
	t.Parallel()
	for want, better := range map[sequential.Decision]float64{sequential.Promote: points, sequential.RollBack: -points} {
		found, hits, pages := experiments(*unequal, better, 0.5)
		t.Logf("%+g points: %d experiments: %v, %.0f pages each, a hit on %.1f %% of them", 100*better, *unequal, found,
			pages, 100*hits/pages)
		if float64(found[want]) < 0.95*float64(*unequal) {
			t.Errorf("%+g points: want %q, found %v", 100*better, want, found)
		}
	}
}

// TestTheTrueDifferenceStaysInside: also of purchases, which are rare, and of skewed amounts, the interval
// holds the true difference at every look, in all but a few experiments.
func TestTheTrueDifferenceStaysInside(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		draw func(rng *rand.Rand, treated bool) float64
		true float64
	}{
		"purchases": {func(rng *rand.Rand, treated bool) float64 {
			if p := 0.03; rng.Float64() < p || treated && rng.Float64() < 0.01/(1-p) {
				return 1
			}
			return 0
		}, 0.01},
		"revenue": {func(rng *rand.Rand, treated bool) float64 {
			if rng.Float64() < 0.05 {
				return math.Exp(rng.NormFloat64()*0.8 + 3)
			}
			return 0
		}, 0},
	}
	for name, kind := range kinds {
		missed := make([]bool, *equalArms)
		parallel.Each(*equalArms, func(i int) {
			rng := rand.New(rand.NewPCG(uint64(i), 75))
			rule := sequential.Rule{Error: errorRate, MaxVisitors: maxVisitors}
			var arms [2]sequential.Sums
			for visitors := 1; visitors <= maxVisitors; visitors++ {
				arm := rng.IntN(2)
				arms[arm].Add(kind.draw(rng, arm == 1), 1)
				if at, ok := rule.Compare(arms[0], arms[1]); ok && (at.Low > kind.true || at.High < kind.true) {
					missed[i] = true
				}
			}
		})
		count := 0
		for _, m := range missed {
			if m {
				count++
			}
		}
		t.Logf("%s: the true difference was outside at some look in %d of %d experiments", name, count, *equalArms)
		if float64(count) > errorRate*float64(*equalArms) {
			t.Errorf("%s: the true difference was outside in %d of %d experiments", name, count, *equalArms)
		}
	}
}

// TestVisitorsAreTheUnit: pages that resemble each other widen the interval, as many as there are.
func TestVisitorsAreTheUnit(t *testing.T) {
	t.Parallel()
	rule := sequential.Rule{Error: errorRate, MaxVisitors: maxVisitors}
	var alone, clustered sequential.Sums
	for i := range 8000 {
		hit := float64(i % 2)
		alone.Add(hit, 1)
		if i < 1000 {
			clustered.Add(8*hit, 8)
		}
	}
	one, ok1 := rule.Compare(alone, alone)
	eight, ok8 := rule.Compare(clustered, clustered)
	if !ok1 || !ok8 || eight.High < 2*one.High {
		t.Errorf("the same 8000 pages of 1000 visitors: %+v, of 8000: %+v", eight, one)
	}
}

func TestTooLittleDecidesNothing(t *testing.T) {
	t.Parallel()
	rule := sequential.Rule{Error: errorRate, MaxVisitors: maxVisitors}
	var none, few, many sequential.Sums
	for i := range 1000 {
		many.Add(1, 1)
		if i < sequential.MinVisitors-1 {
			few.Add(0, 1)
		}
		none.Add(0, 1)
	}
	for name, arms := range map[string][2]sequential.Sums{"no visitor": {}, "few visitors": {few, many},
		"no outcome": {none, many}} {
		if d := rule.Decide(arms[0], arms[1]); d != sequential.Undecided {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, bad := range []sequential.Rule{{}, {Error: 0.5, MaxVisitors: 1e6}, {Error: 0.05, MaxVisitors: 399},
		{Error: math.NaN(), MaxVisitors: 1e6}} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}
