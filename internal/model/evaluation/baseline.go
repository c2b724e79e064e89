package evaluation

import (
	"cmp"
	"math"
	"slices"

	"kindred/internal/platform/parallel"
)

// Popularity ranks by the number of customers who like the product.
func Popularity(likes *Pairs) Ranker {
	count := make([]float32, likes.Products)
	for _, own := range likes.Of {
		for _, p := range own {
			count[p]++
		}
	}
	return func(_ int32, scores []float32) { copy(scores, count) }
}

// Random ranks each customer's products by a hash: a different order for each, the same in every run.
func Random(seed uint64) Ranker {
	return func(customer int32, scores []float32) {
		for p := range scores {
			scores[p] = float32(Mix(Mix(seed^uint64(customer))+uint64(p)) >> 40)
		}
	}
}

// damping is how many imaginary ratings of deviation zero are added to a product's: a single five
// must not lead the ranking.
const damping = 10

// CustomerMean predicts stars as the customer's own mean plus the product's mean deviation from its
// raters' own means. The customer's mean alone is equal for all products and ranks nothing; the
// deviation makes it a ranking, the usual bias model of rating prediction. ratings holds
// dislikes too.
func CustomerMean(customers, products int, ratings []Rating) Ranker {
	mean, n := make([]float64, customers), make([]float64, customers)
	for _, r := range ratings {
		mean[r.Customer] += float64(r.Stars)
		n[r.Customer]++
	}
	for c := range mean {
		mean[c] /= max(n[c], 1)
	}
	deviation, raters := make([]float64, products), make([]float64, products)
	for _, r := range ratings {
		deviation[r.Product] += float64(r.Stars) - mean[r.Customer]
		raters[r.Product]++
	}
	for p := range deviation {
		deviation[p] /= raters[p] + damping
	}
	return func(customer int32, scores []float32) {
		for p := range scores {
			scores[p] = float32(mean[customer] + deviation[p])
		}
	}
}

// neighbours is how many of a product's nearest count: the usual size; the tail beyond adds noise and memory.
const neighbours = 200

type neighbour struct {
	product    int32
	similarity float32
}

// CoOccurrence ranks by the summed cosine similarity to what the customer likes ("who liked this
// also liked"), over each product's nearest neighbours: item-kNN.
func CoOccurrence(likes *Pairs, threads int) Ranker {
	return byNeighbours(likes, nearest(likes, neighbours, threads, func(int) float64 { return 1 },
		func(p, q int) float64 { return math.Sqrt(float64(p) * float64(q)) }))
}

// byNeighbours ranks by the sum over what the customer likes.
func byNeighbours(likes *Pairs, near [][]neighbour) Ranker {
	return func(customer int32, scores []float32) {
		clear(scores)
		for _, p := range likes.Of[customer] {
			for _, n := range near[p] {
				scores[n.product] += n.similarity
			}
		}
	}
}

// nearest is the neighbours of each product, at most so many, best first. Two products are as near
// as the sum over the customers who like both of vote, which is given the number of a customer's
// likes, divided by scale, which is given the numbers of customers who like the one and the other.
func nearest(likes *Pairs, most, threads int, vote func(likes int) float64,
	scale func(p, q int) float64) [][]neighbour {
	products, byCustomer, byProduct := likes.Products, likes.Of, likes.Transposed().Of
	near, sums := make([][]neighbour, products), make([][]float64, max(threads, 1))
	parallel.Tasks(threads, products, func(thread, p int) {
		if sums[thread] == nil {
			sums[thread] = make([]float64, products)
		}
		sum, touched := sums[thread], []int32(nil)
		for _, c := range byProduct[p] {
			weight := vote(len(byCustomer[c]))
			for _, q := range byCustomer[c] {
				if sum[q] == 0 {
					touched = append(touched, q)
				}
				sum[q] += weight
			}
		}
		list := make([]neighbour, 0, len(touched))
		for _, q := range touched {
			if int(q) != p {
				list = append(list, neighbour{q, float32(sum[q] / scale(len(byProduct[p]), len(byProduct[q])))})
			}
			sum[q] = 0
		}
		slices.SortFunc(list, func(a, b neighbour) int {
			return cmp.Or(cmp.Compare(b.similarity, a.similarity), cmp.Compare(a.product, b.product))
		})
		near[p] = slices.Clone(list[:min(len(list), most)])
	})
	return near
}
