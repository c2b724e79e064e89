package nextitem

import (
	"cmp"
	"math"
	"slices"

	"kindred/internal/platform/parallel"
)

// Neighbour is an item with how strongly another one speaks for it.
type Neighbour struct {
	Item   int32
	Weight float32 // positive
}

// pairing says what a pair of clicks in one session counts.
type pairing struct {
	longest int // clicks that lie between the two at most, plus one
	// weight is what the second click counts gap clicks after the first; before it, gap is negative.
	weight func(gap int) float64
	// scale divides the sum by how often both items are clicked.
	scale func(from, to float64) float64
	most  int // neighbours of an item
}

// occurrence is one click of an item.
type occurrence struct{ session, position int32 }

// neighbours sums what all pairs of clicks count, by their first item, best first.
func (p pairing) neighbours(sessions [][]int32, items, threads int) [][]Neighbour {
	clicks := make([][]occurrence, items)
	for s, own := range sessions {
		for i, item := range own {
			clicks[item] = append(clicks[item], occurrence{int32(s), int32(i)})
		}
	}
	all, sums := make([][]Neighbour, items), make([][]float64, max(threads, 1))
	parallel.Tasks(threads, items, func(thread, from int) {
		if sums[thread] == nil {
			sums[thread] = make([]float64, items)
		}
		sum, touched := sums[thread], []int32(nil)
		for _, at := range clicks[from] {
			own := sessions[at.session]
			first, last := max(int(at.position)-p.longest, 0), min(int(at.position)+p.longest, len(own)-1)
			for i := first; i <= last; i++ {
				weight := p.weight(i - int(at.position))
				if to := own[i]; int(to) != from && weight > 0 {
					if sum[to] == 0 {
						touched = append(touched, to)
					}
					sum[to] += weight
				}
			}
		}
		list := make([]Neighbour, len(touched))
		for i, to := range touched {
			list[i] = Neighbour{to, float32(sum[to] / p.scale(float64(len(clicks[from])), float64(len(clicks[to]))))}
			sum[to] = 0
		}
		slices.SortFunc(list, func(a, b Neighbour) int {
			return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Item, b.Item))
		})
		all[from] = slices.Clone(list[:min(len(list), p.most)])
	})
	return all
}

// items is the clicks of all sessions.
func (l *Log) items() [][]int32 {
	all := make([][]int32, len(l.Sessions))
	for i, s := range l.Sessions {
		all[i] = s.Items
	}
	return all
}

const (
	// everyPair is longer than any session of a person. It bounds the time that a robot's takes.
	everyPair = 500
	// allNeighbours keeps every neighbour.
	allNeighbours = math.MaxInt
)

// Popularity ranks by the number of clicks.
func Popularity(train *Log) Ranker {
	count := train.popularity()
	return Each(func(_ []int32, scores []float32) { copy(scores, count) })
}

func (l *Log) popularity() []float32 {
	count := make([]float32, len(l.Items))
	for _, s := range l.Sessions {
		for _, item := range s.Items {
			count[item]++
		}
	}
	return count
}

// ItemToItem ranks by the cosine between the sessions that have an item and those that have the last
// one clicked.
func ItemToItem(train *Log, threads int) Ranker {
	sessions := train.items()
	for i, own := range sessions {
		sessions[i] = distinct(own)
	}
	return byLast(pairing{longest: everyPair, most: allNeighbours, weight: func(int) float64 { return 1 },
		scale: func(from, to float64) float64 {
			return math.Sqrt(from * to)
		}}.neighbours(sessions, len(train.Items), threads))
}

// RuleOptions are the hyperparameters of SequentialRules.
type RuleOptions struct {
	Steps int `json:"steps"` // clicks from one item to another, at most
}

// SequentialRules ranks by how often and how soon an item was clicked after the last one, at most
// so many clicks later (Ludewig and Jannach 2018, "Evaluation of session-based recommendation
// algorithms", https://arxiv.org/abs/1803.09587). One step is a Markov chain.
func SequentialRules(train *Log, o RuleOptions, threads int) Ranker {
	return byLast(pairing{longest: o.Steps, most: allNeighbours, weight: func(gap int) float64 {
		if gap <= 0 {
			return 0
		}
		return 1 / float64(gap)
	}, scale: func(_, _ float64) float64 { return 1 }}.neighbours(train.items(), len(train.Items), threads))
}

// byLast ranks by the neighbours of the last click, which is not recommended itself.
func byLast(neighbours [][]Neighbour) Ranker {
	return Each(func(clicks []int32, scores []float32) {
		hide(scores)
		if last := clicks[len(clicks)-1]; last != Unknown {
			for _, n := range neighbours[last] {
				scores[n.Item] = n.Weight
			}
		}
	})
}
