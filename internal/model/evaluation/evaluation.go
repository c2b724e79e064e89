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
	"slices"
	"sync"
	"sync/atomic"
)

// Ranker fills in the scores of all products for one customer. A higher score ranks first, and NaN
// ranks last. It is called from several goroutines at once, each with its own slice.
type Ranker func(customer int32, scores []float32)

// Block is a Ranker for several customers at once, at most BlockSize: scores has a row for each.
// This is far faster, because the products' vectors are read once for all of the customers.
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

// Measure ranks every case of the task. Products of equal score have no order: a figure is then the
// mean over all their orders (McSherry and Najork 2008, "Computing information retrieval
// performance measures efficiently in the presence of tied scores"). Only Coverage takes equal
// products by index. The error is the context's.
func Measure(ctx context.Context, t *Task, threads int, rank Block) (Scores, error) {
	all, err := MeasureVariants(ctx, t, threads, rank, 1, func(int, []int32, []float32) {})
	return all[0], err
}

// MeasureVariants is Measure of so many rankers whose scores begin alike: rank's. vary makes the scores
// of ranker i of them, in their place. The time of rank is spent once.
func MeasureVariants(ctx context.Context, t *Task, threads int, rank Block, variants int,
	vary func(i int, customers []int32, scores []float32)) ([]Scores, error) {
	n := len(t.Cases)
	out, shown := make([]Scores, variants), make([][]atomic.Bool, variants)
	for i := range out {
		out[i] = Scores{NDCG10: make([]float64, n), Recall10: make([]float64, n), NDCG20: make([]float64, n),
			Recall20: make([]float64, n), Reciprocal: make([]float64, n)}
		shown[i] = make([]atomic.Bool, t.Products)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(threads, 1) {
		group.Go(func() {
			scores, customers := make([]float32, BlockSize*t.Products), make([]int32, 0, BlockSize)
			common := scores // of a single ranker nobody needs the common scores any more
			if variants > 1 {
				common = make([]float32, len(scores))
			}
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
				used := len(cases) * t.Products
				rank(customers, common[:used])
				for i := range out {
					copy(scores[:used], common)
					vary(i, customers, scores[:used])
					for j, c := range cases {
						setAll(masked, c.Seen, true)
						out[i].measure(start+j, c, scores[j*t.Products:(j+1)*t.Products], masked, shown[i])
						setAll(masked, c.Seen, false)
					}
				}
			}
		})
	}
	group.Wait()
	for i := range out {
		for p := range shown[i] {
			if shown[i][p].Load() {
				out[i].Coverage++
			}
		}
		out[i].Coverage /= float64(max(t.Products, 1))
	}
	return out, ctx.Err()
}

// measure fills in the figures of case i.
func (s *Scores) measure(i int, c Case, scores []float32, masked []bool, shown []atomic.Bool) {
	top := Top(scores, masked, LongCut)
	for _, p := range top {
		shown[p].Store(true)
	}
	places := placesOf(scores, masked, top, c.Relevant)
	s.NDCG10[i], s.Recall10[i] = places.ndcg(ShortCut, len(c.Relevant)), places.recall(ShortCut, len(c.Relevant))
	s.NDCG20[i], s.Recall20[i] = places.ndcg(LongCut, len(c.Relevant)), places.recall(LongCut, len(c.Relevant))
	s.Reciprocal[i] = places.reciprocal()
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

// Mean is the average, 0 of nothing.
func Mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}
