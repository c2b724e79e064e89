package evaluation

import (
	"context"
	"math"
)

// LowPass ranks by GF-CF's ideal low-pass filter of a rank alone. It may be a part of a sum.
func LowPass(ctx context.Context, likes *Pairs, rank, threads int) (Block, error) {
	left, right, d, err := newNormalised(likes).lowPass(ctx, rank, threads)
	if err != nil {
		return nil, err
	}
	return projected(likes, left, right, d), nil
}

// Near ranks by the Neighbours of what a customer likes. It may be a part of a sum.
func Near(likes *Pairs, most int, rarity float64, threads int) Block {
	m := likes.Matrix()
	near := Neighbours(m, most, rarity, threads)
	return Listed(RowNeighbours(m, near, math.MaxInt, threads, nil)).Each
}

// Part is a ranker whose scores add up with those of others.
type Part struct {
	Name   string
	Rank   Block
	Weight float64 // by which scores are multiplied
}

// Sum ranks by the weighted sum of parts. A part of weight 0 costs nothing.
func Sum(parts []Part) Block {
	return func(customers []int32, scores []float32) {
		own := make([]float32, len(scores))
		clear(scores)
		for _, p := range parts {
			if p.Weight == 0 {
				continue
			}
			p.Rank(customers, own)
			for i, s := range own {
				scores[i] += float32(p.Weight) * s
			}
		}
	}
}

// Spread is the mean over a task's customers of the standard deviation of a ranker's scores over all
// products: the unit in which parts are weighed. It looks at no held-out product.
func Spread(t *Task, rank Block) float64 {
	var sum float64
	scores := make([]float32, t.Products)
	for _, c := range t.Cases {
		rank([]int32{c.Customer}, scores)
		var mean, square float64
		for _, s := range scores {
			mean += float64(s)
			square += float64(s) * float64(s)
		}
		mean /= float64(t.Products)
		sum += math.Sqrt(max(square/float64(t.Products)-mean*mean, 0))
	}
	return sum / float64(max(len(t.Cases), 1))
}
