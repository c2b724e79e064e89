package sequential_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"kindred/internal/model/sequential"
	"kindred/internal/platform/parallel"
)

// buyers is how many of the visitors buy something.
const buyers = 0.05

// tails are what buyers pay. The second one has no variance: without a cap, no interval would hold.
func tails() map[string]func(rng *rand.Rand) float64 {
	return map[string]func(rng *rand.Rand) float64{
		"log-normal, deviation 1.5 of the logarithm": func(rng *rand.Rand) float64 {
			return 30 * math.Exp(1.5*rng.NormFloat64())
		},
		"Pareto with the exponent 1.5": func(rng *rand.Rand) float64 { return 20 * math.Pow(rng.Float64(), -1/1.5) },
	}
}

// capOf is the cap as an experiment fixes it: the first of 1, 2, 5, 10, … that 99 % of 1,000 earlier buyers do not
// exceed.
func capOf(rng *rand.Rand, pays func(*rand.Rand) float64) float64 {
	earlier := make([]float64, 1000)
	for i := range earlier {
		earlier[i] = pays(rng)
	}
	slices.Sort(earlier)
	for tens := 1.0; ; tens *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if step*tens >= earlier[989] {
				return step * tens
			}
		}
	}
}

// byRevenue is one experiment, looked at after every 20 visitors. The treatment has so many times the buyers.
func byRevenue(seed uint64, pays func(*rand.Rand) float64, more float64) (d sequential.Decision, visitors int) {
	rng := rand.New(rand.NewPCG(seed, 76))
	rule, most := sequential.Rule{Error: errorRate, MaxVisitors: 2 * maxVisitors}, capOf(rng, pays)
	var arms [2]sequential.Sums
	for visitors = 1; ; visitors++ {
		arm, paid := rng.IntN(2), 0.0
		if rng.Float64() < buyers*[]float64{1, more}[arm] {
			paid = min(pays(rng), most)
		}
		arms[arm].AddAmount(paid)
		if visitors%peek > 0 {
			continue
		}
		if d := rule.Decide(arms[0], arms[1]); d != sequential.Undecided {
			return d, visitors
		}
	}
}

// TestRevenueWithHeavyTails: equal arms are told apart as seldom as the error rate says, although some visitors pay a
// hundred times as much as others; and half as many buyers more, or half of them, are found.
func TestRevenueWithHeavyTails(t *testing.T) {
	t.Parallel()
	for name, pays := range tails() {
		for _, kind := range []struct {
			count int
			more  float64
			want  sequential.Decision
			least float64
		}{{*equalArms, 1, sequential.Inconclusive, 1 - errorRate}, {*unequal, 1.5, sequential.Promote, 0.9},
			{*unequal, 0.5, sequential.RollBack, 0.9}} {
			found, visitors := make([]sequential.Decision, kind.count), make([]int, kind.count)
			parallel.Each(kind.count, func(i int) { found[i], visitors[i] = byRevenue(uint64(i), pays, kind.more) })
			counts, sum := map[sequential.Decision]int{}, 0
			for i, d := range found {
				counts[d]++
				sum += visitors[i]
			}
			t.Logf("%s, %.1f times the buyers: %d experiments: %v, %d visitors each", name, kind.more, kind.count, counts,
				sum/kind.count)
			if float64(counts[kind.want]) < kind.least*float64(kind.count) {
				t.Errorf("%s, %.1f times the buyers: %v, want %q", name, kind.more, counts, kind.want)
			}
		}
	}
}
