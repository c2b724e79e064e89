// Package evaluation measures rankers honestly: it cuts held-out interactions off, ranks all products with what the customer
// has seen masked, computes NDCG@k and Recall@k, bounds them by a bootstrap over customers, and judges a model against
// baselines. Every ranker, the ceiling included, goes through the same code on the same customers.
//
// It owns the split, the metrics, the baselines and the gate's rule. It does not know how a model is trained or stored.
package evaluation

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Ranker fills scores, one for each product, for a customer; a higher score ranks first, equal ones by product index.
// It is called from several goroutines at once, each with its own slice.
type Ranker func(customer int32, scores []float32)

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

// Scores are a ranker's figures, one a case in the task's order.
type Scores struct {
	NDCG   []float64
	Recall []float64
}

// Measure ranks every case of the task and cuts the lists at k. The error is the context's.
func Measure(ctx context.Context, t *Task, k, threads int, rank Ranker) (Scores, error) {
	out := Scores{NDCG: make([]float64, len(t.Cases)), Recall: make([]float64, len(t.Cases))}
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(threads, 1) {
		group.Go(func() {
			scores := make([]float32, t.Products)
			masked := make([]bool, t.Products)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(t.Cases) {
					return
				}
				c := t.Cases[i]
				rank(c.Customer, scores)
				setAll(masked, c.Seen, true)
				top := Top(scores, masked, k)
				setAll(masked, c.Seen, false)
				out.NDCG[i], out.Recall[i] = NDCG(top, c.Relevant, k), Recall(top, c.Relevant)
			}
		})
	}
	group.Wait()
	return out, ctx.Err()
}

func setAll(masked []bool, products []int32, value bool) {
	for _, p := range products {
		masked[p] = value
	}
}

// Top is the k best products that are not masked, best first; equal scores rank by index. A score that is not a number ranks last.
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

// NDCG is the discounted gain of the list over that of an ideal list of min(k, |relevant|) hits; gain is 1 or 0 and the hit at
// place p (from 1) counts 1/log2(p+1). relevant is ascending and not empty.
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
