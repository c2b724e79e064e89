// Package evaluation measures rankers honestly: it cuts held-out interactions off, ranks all
// products with what the customer has seen masked, computes NDCG@k and Recall@k, bounds them by a
// bootstrap over customers, and judges a model against baselines. Every ranker, the ceiling
// included, goes through the same code on the same customers.
//
// It owns the split, the metrics, the baselines and the gate's rule. It does not know how a model
// is trained or stored.
package evaluation

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Ranker fills scores, one for each product, for a customer; a higher score ranks first, equal ones
// by product index. It is called from several goroutines at once, each with its own slice.
type Ranker func(customer int32, scores []float32)

// Block is a Ranker for several customers at once, at most BlockSize: scores has a row for each.
// Matrix products are far faster so, because the products' vectors are read once for all of them.
type Block func(customers []int32, scores []float32)

// BlockSize is the most customers of a block: enough to read a vector once for many, few enough for
// the cache.
const BlockSize = 16

// Each ranks a block's customers one by one.
func (r Ranker) Each(customers []int32, scores []float32) {
	products := len(scores) / max(len(customers), 1)
	for i, c := range customers {
		r(c, scores[i*products:(i+1)*products])
	}
}

// Case is one customer to rank for.
type Case struct {
	Customer int32
	Seen     []int32 // products that are masked: everything the customer rated in the training part
	Relevant []int32 // held-out products the customer likes, ascending, never empty
}

// Task is a ranking problem.
type Task struct {
	Products int
	Cases    []Case // by customer, ascending
}

// Positives is the number of held-out products to find.
func (t *Task) Positives() (n int) {
	for _, c := range t.Cases {
		n += len(c.Relevant)
	}
	return n
}

// LongCut and ShortCut are where lists are cut: the public splits are compared at 20, a shop's page shows 10.
const (
	LongCut  = 20
	ShortCut = 10
)

// Scores are a ranker's figures, one a case in the task's order.
type Scores struct {
	NDCG10, Recall10 []float64
	NDCG20, Recall20 []float64
	// Reciprocal is one over the place of the first relevant product in the whole ranking; its mean is the MRR.
	Reciprocal []float64
	// Coverage is the share of all products that stand in the first 20 of some case.
	Coverage float64
}

// Measure ranks every case of the task. The error is the context's.
func Measure(ctx context.Context, t *Task, threads int, rank Block) (Scores, error) {
	n := len(t.Cases)
	out := Scores{NDCG10: make([]float64, n), Recall10: make([]float64, n), NDCG20: make([]float64, n),
		Recall20:   make([]float64, n),
		Reciprocal: make([]float64, n)}
	shown := make([]atomic.Bool, t.Products)
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(threads, 1) {
		group.Go(func() {
			scores, customers := make([]float32, BlockSize*t.Products), make([]int32, 0, BlockSize)
			masked := make([]bool, t.Products)
			for ctx.Err() == nil {
				start := int(next.Add(BlockSize)) - BlockSize
				if start >= n {
					return
				}
				cases := t.Cases[start:min(start+BlockSize, n)]
				customers = customers[:0]
				for _, c := range cases {
					customers = append(customers, c.Customer)
				}
				rank(customers, scores[:len(cases)*t.Products])
				for j, c := range cases {
					own, i := scores[j*t.Products:(j+1)*t.Products], start+j
					setAll(masked, c.Seen, true)
					top := Top(own, masked, LongCut)
					out.Reciprocal[i] = reciprocal(own, masked, c.Relevant)
					setAll(masked, c.Seen, false)
					short := top[:min(ShortCut, len(top))]
					out.NDCG20[i], out.Recall20[i] = NDCG(top, c.Relevant, LongCut), Recall(top, c.Relevant)
					out.NDCG10[i], out.Recall10[i] = NDCG(short, c.Relevant, ShortCut), Recall(short, c.Relevant)
					for _, p := range top {
						shown[p].Store(true)
					}
				}
			}
		})
	}
	group.Wait()
	for i := range shown {
		if shown[i].Load() {
			out.Coverage++
		}
	}
	out.Coverage /= float64(max(t.Products, 1))
	return out, ctx.Err()
}

// reciprocal is one over the place of the best relevant product among those that are not masked.
func reciprocal(scores []float32, masked []bool, relevant []int32) float64 {
	best := relevant[0]
	for _, p := range relevant[1:] {
		if better(scores[p], scores[best]) {
			best = p
		}
	}
	place := 1
	for p, s := range scores {
		if !masked[p] && (better(s, scores[best]) || !better(scores[best], s) && int32(p) < best) {
			place++
		}
	}
	return 1 / float64(place)
}

func setAll(masked []bool, products []int32, value bool) {
	for _, p := range products {
		masked[p] = value
	}
}

// Top is the k best products that are not masked, best first; equal scores rank by index. A score
// that is not a number ranks last.
func Top(scores []float32, masked []bool, k int) []int32 {
	top := make([]int32, 0, k+1)
	for i, s := range scores {
		if masked[i] || len(top) == k && !better(s, scores[top[k-1]]) {
			continue
		}
		at := len(top)
		for at > 0 && better(s, scores[top[at-1]]) {
			at--
		}
		top = slices.Insert(top, at, int32(i))
		top = top[:min(len(top), k)]
	}
	return top
}

func better(a, b float32) bool { return a > b || b != b && a == a }

// NDCG is the discounted gain of the list over that of an ideal list of min(k, |relevant|) hits;
// gain is 1 or 0 and the hit at place p (from 1) counts 1/log2(p+1). relevant is ascending and not
// empty.
func NDCG(top, relevant []int32, k int) float64 {
	var gain, ideal float64
	for place, p := range top {
		if _, hit := slices.BinarySearch(relevant, p); hit {
			gain += 1 / math.Log2(float64(place)+2)
		}
	}
	for place := range min(k, len(relevant)) {
		ideal += 1 / math.Log2(float64(place)+2)
	}
	return gain / ideal
}

// Recall is the share of the relevant products that the list holds. relevant is ascending and not empty.
func Recall(top, relevant []int32) float64 {
	hits := 0
	for _, p := range top {
		if _, hit := slices.BinarySearch(relevant, p); hit {
			hits++
		}
	}
	return float64(hits) / float64(len(relevant))
}

// Mean is the average, 0 of nothing.
func Mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}
