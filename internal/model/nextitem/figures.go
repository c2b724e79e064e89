package nextitem

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"kindred/internal/model/evaluation"
)

// Figures are the means over questions.
type Figures struct {
	Questions int     `json:"questions"`
	HitRate   float64 `json:"hr@20"`  // share of questions whose item is among the first 20
	MRR       float64 `json:"mrr@20"` // mean of one over its place there, 0 beyond
}

// NewFigures averages; zeros of nothing.
func NewFigures(answers []Answer) Figures {
	var f Figures
	for _, a := range answers {
		f.HitRate, f.MRR = f.HitRate+a.Hit, f.MRR+a.Reciprocal
	}
	f.Questions = len(answers)
	f.HitRate, f.MRR = f.HitRate/float64(max(len(answers), 1)), f.MRR/float64(max(len(answers), 1))
	return f
}

// Position is the figures of the questions after so many clicks.
type Position struct {
	Clicks string `json:"clicks"`
	Figures
}

// positions are the last clicks of each group but the last, which has no end.
var positions = []int{1, 2, 3, 4, 5, 10}

// ByPosition groups answers by the clicks before them. Groups without a question are left out.
func ByPosition(answers []Answer) []Position {
	groups := make([][]Answer, len(positions)+1)
	for _, a := range answers {
		i, _ := slices.BinarySearch(positions, a.Position)
		groups[i] = append(groups[i], a)
	}
	var all []Position
	first := 1
	for i, own := range groups {
		name := fmt.Sprintf("%d or more", first)
		if i < len(positions) {
			if name = fmt.Sprintf("%d to %d", first, positions[i]); first == positions[i] {
				name = fmt.Sprint(first)
			}
			first = positions[i] + 1
		}
		if len(own) > 0 {
			all = append(all, Position{name, NewFigures(own)})
		}
	}
	return all
}

// Unseen is the answers whose item was not clicked before in the session.
func Unseen(answers []Answer) []Answer {
	return slices.DeleteFunc(slices.Clone(answers), func(a Answer) bool { return !a.Unseen })
}

// Interval is a 95 % percentile bootstrap interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Bounds are the intervals of both figures.
type Bounds struct {
	HitRate Interval `json:"hr@20"`
	MRR     Interval `json:"mrr@20"`
}

const (
	resamples     = 2000
	bootstrapSeed = 20220612
)

// sums are what a session contributes.
type sums struct{ questions, hit, reciprocal float64 }

func bySession(answers []Answer) []sums {
	var all []sums
	for i, a := range answers {
		if i == 0 || a.Session != answers[i-1].Session {
			all = append(all, sums{})
		}
		s := &all[len(all)-1]
		s.questions, s.hit, s.reciprocal = s.questions+1, s.hit+a.Hit, s.reciprocal+a.Reciprocal
	}
	return all
}

// NewBounds bounds the figures of a ranker. Whole sessions are drawn, because the questions of one
// session are alike. The answers are in Measure's order.
func NewBounds(answers []Answer) Bounds {
	all := bySession(answers)
	return bootstrap(len(all), func(drawn []int) (hit, reciprocal float64) {
		var sum sums
		for _, i := range drawn {
			sum.questions, sum.hit, sum.reciprocal = sum.questions+all[i].questions, sum.hit+all[i].hit,
				sum.reciprocal+all[i].reciprocal
		}
		return sum.hit / sum.questions, sum.reciprocal / sum.questions
	})
}

// RatioBounds bounds a ranker's figures divided by another one's, both having answered the same
// questions: in each sample both are measured on the same sessions. Where the other one has no hit at
// all in a sample, the ratio counts as 1 or, if the first one has any, as the largest.
func RatioBounds(answers, other []Answer) Bounds {
	a, b := bySession(answers), bySession(other)
	return bootstrap(len(a), func(drawn []int) (hit, reciprocal float64) {
		var x, y sums
		for _, i := range drawn {
			x.hit, x.reciprocal = x.hit+a[i].hit, x.reciprocal+a[i].reciprocal
			y.hit, y.reciprocal = y.hit+b[i].hit, y.reciprocal+b[i].reciprocal
		}
		return divide(x.hit, y.hit), divide(x.reciprocal, y.reciprocal)
	})
}

// most is the largest ratio that is told: JSON knows no infinity.
const most = 1e6

// divide is x/y.
func divide(x, y float64) float64 {
	if y == 0 {
		if x == 0 {
			return 1
		}
		return most
	}
	return min(x/y, most)
}

// Ratio is a ranker's figures divided by another one's.
func Ratio(f, other Figures) (hitRate, mrr float64) {
	return divide(f.HitRate, other.HitRate), divide(f.MRR, other.MRR)
}

// bootstrap draws n sessions out of n again and again; zeros of nothing.
func bootstrap(n int, figures func(drawn []int) (hit, reciprocal float64)) Bounds {
	if n == 0 {
		return Bounds{}
	}
	rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(n)))
	hits, reciprocals, drawn := make([]float64, resamples), make([]float64, resamples), make([]int, n)
	for i := range resamples {
		for j := range drawn {
			drawn[j] = rng.IntN(n)
		}
		hits[i], reciprocals[i] = figures(drawn)
	}
	var b Bounds
	b.HitRate.Low, b.HitRate.High = evaluation.Percentiles(hits)
	b.MRR.Low, b.MRR.High = evaluation.Percentiles(reciprocals)
	return b
}
