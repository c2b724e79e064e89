package evaluation

import (
	"context"
	"math"

	"kindred/internal/platform/parallel"
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
	near := Neighbours(m, most, threads, rarity)[0]
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
func Spread(t *Task, threads int, rank Block) float64 {
	deviations := make([]float64, len(t.Cases))
	parallel.Tasks(threads, (len(t.Cases)+BlockSize-1)/BlockSize, func(_, at int) {
		cases := t.Cases[at*BlockSize : min((at+1)*BlockSize, len(t.Cases))]
		customers, scores := make([]int32, len(cases)), make([]float32, len(cases)*t.Products)
		for i, c := range cases {
			customers[i] = c.Customer
		}
		rank(customers, scores)
		for i := range cases {
			var mean, square float64
			for _, s := range scores[i*t.Products : (i+1)*t.Products] {
				mean += float64(s)
				square += float64(s) * float64(s)
			}
			mean /= float64(t.Products)
			deviations[at*BlockSize+i] = math.Sqrt(max(square/float64(t.Products)-mean*mean, 0))
		}
	})
	var sum float64
	for _, d := range deviations {
		sum += d
	}
	return sum / float64(max(len(t.Cases), 1))
}
