package evaluation

import (
	"math/rand/v2"
	"slices"
)

const (
	// resamples is how many bootstrap samples an interval rests on: its ends move by about a twentieth
	// of its width from seed to seed.
	resamples = 1000
	// bootstrapSeed fixes them, so that the same figures give the same interval.
	bootstrapSeed = 20220607
	// tail is the share of samples outside the interval on each side: 95 % lie within.
	tail = 0.025
)

// Interval is the 95 % percentile bootstrap interval of the mean over customers; zeros of nothing.
func Interval(values []float64) (low, high float64) {
	if len(values) == 0 {
		return 0, 0
	}
	rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(len(values))))
	means := make([]float64, resamples)
	for i := range means {
		var sum float64
		for range values {
			sum += values[rng.IntN(len(values))]
		}
		means[i] = sum / float64(len(values))
	}
	return Percentiles(means)
}

// Percentiles is the interval in which 95 % of the values lie. It sorts them; there must be one.
func Percentiles(values []float64) (low, high float64) {
	slices.Sort(values)
	outside := int(tail * float64(len(values)))
	return values[outside], values[len(values)-1-outside]
}

// Difference is the interval of the mean of a − b, paired by customer: far narrower than what two
// separate intervals say, because the customers who are hard for one ranker are hard for the other.
// The slices have the same length.
func Difference(a, b []float64) (low, high float64) {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return Interval(d)
}
