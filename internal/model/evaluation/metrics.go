package evaluation

import (
	"math"
	"slices"
)

// group is a set of products with equal scores, some of which are relevant. The group shares the
// places after all better products; the order within the group is not defined.
type group struct {
	score    float32
	better   int // unmasked products of a higher score
	tied     int // unmasked products of this score
	relevant int // of them
}

// places is where a case's relevant products are, best first: the groups that reach into the first
// LongCut places, and the best group in any case.
type places []group

// placesOf finds the groups. top is the first LongCut products; masked ones are none of the ranking,
// and are not found although they may be relevant.
func placesOf(scores []float32, masked []bool, top, relevant []int32) places {
	var all places
	for _, p := range relevant {
		if masked[p] {
			continue
		}
		beyond := len(top) == LongCut && better(scores[top[LongCut-1]], scores[p])
		if beyond && len(all) > 0 && better(all[0].score, scores[p]) {
			continue
		}
		i := slices.IndexFunc(all, func(g group) bool { return !better(g.score, scores[p]) })
		if i < 0 {
			i = len(all)
		}
		if i == len(all) || better(scores[p], all[i].score) {
			all = slices.Insert(all, i, group{score: scores[p]})
		}
		all[i].relevant++
	}
	if len(all) == 0 {
		return nil
	}
	for p, s := range scores {
		if masked[p] || better(all[len(all)-1].score, s) {
			continue
		}
		i, _ := slices.BinarySearchFunc(all, s, func(g group, s float32) int {
			switch {
			case better(g.score, s):
				return -1
			case better(s, g.score):
				return 1
			}
			return 0
		})
		if better(s, all[i].score) {
			all[i].better++
		} else {
			all[i].tied++
		}
	}
	for i := 1; i < len(all); i++ {
		all[i].better += all[i-1].better + all[i-1].tied
	}
	return all
}

// discounts is what a hit at each of the first places counts: 1/log2(p+1), p from 1.
var discounts = func() (each [LongCut]float64) {
	for p := range each {
		each[p] = 1 / math.Log2(float64(p)+2)
	}
	return each
}()

// gain is the sum of the discounts of the places from begin to before end.
func gain(begin, end int) (sum float64) {
	for p := begin; p < end; p++ {
		sum += discounts[p]
	}
	return sum
}

// ndcg is the discounted gain of the first k places over that of an ideal ranking of n relevant
// products; a product's gain is 1 or 0. k is at most LongCut.
func (all places) ndcg(k, n int) float64 {
	var sum float64
	for _, g := range all {
		sum += gain(min(g.better, k), min(g.better+g.tied, k)) * float64(g.relevant) / float64(g.tied)
	}
	return sum / gain(0, min(k, n))
}

// recall is the share of the n relevant products that the first k places hold.
func (all places) recall(k, n int) float64 {
	var hits float64
	for _, g := range all {
		hits += float64(min(g.better+g.tied, k)-min(g.better, k)) * float64(g.relevant) / float64(g.tied)
	}
	return hits / float64(n)
}

// reciprocal is one over the place of the first relevant product, 0 without any.
func (all places) reciprocal() float64 {
	if len(all) == 0 {
		return 0
	}
	g, mean := all[0], 0.0
	left := 1.0 // the probability that no relevant product has come yet
	for i := 0; i <= g.tied-g.relevant; i++ {
		now := left * float64(g.relevant) / float64(g.tied-i)
		mean += now / float64(g.better+i+1)
		left -= now
	}
	return mean
}
