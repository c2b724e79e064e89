package nextitem

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// VMISOptions are the hyperparameters of VMIS-kNN.
type VMISOptions struct {
	Sessions   int  `json:"sessions"`   // m: most recent sessions that are compared
	Neighbours int  `json:"neighbours"` // k: the most similar of them, which vote
	Clicks     int  `json:"clicks"`     // last clicks of the session that count
	IDF        bool `json:"idf"`        // rare items count more
}

// vmisLongest: longer sessions than all but one in 200 are compared with nothing.
const vmisLongest = 0.995

// vmis is the index of VMIS-kNN.
type vmis struct {
	options  VMISOptions
	items    [][]int32 // by session: its distinct items
	end      []float64
	sessions [][]int32 // by item: the sessions that have it, the latest first, at most m
	idf      []float64
}

// VMIS is VMIS-kNN (Kersbergen, Sprangers and Schelter 2022, "Serenade – low-latency session-based
// recommendation in e-commerce at scale", https://doi.org/10.1145/3514221.3517901): of the m most
// recent sessions that share an item with this one, the k most similar vote for their items. Here it
// is a baseline, written after the paper. As in its authors' server, consecutive clicks of one item
// count once, the last item clicked is not recommended, and a session's vote shrinks by a tenth for
// each click since its last common item. Beyond ten clicks it therefore counts against its items.
func VMIS(train *Log, o VMISOptions) Ranker {
	v := newVMIS(train, o)
	return Each(v.rank)
}

func newVMIS(train *Log, o VMISOptions) *vmis {
	v := &vmis{options: o, sessions: make([][]int32, len(train.Items)), idf: make([]float64, len(train.Items))}
	lengths := make([]int, 0, len(train.Sessions))
	for _, s := range train.Sessions {
		own := distinct(s.Items)
		v.items, v.end = append(v.items, own), append(v.end, math.Round(s.End()))
		lengths = append(lengths, len(own))
	}
	longest := quantile(lengths, vmisLongest)
	all := 0
	for s := len(v.items) - 1; s >= 0; s-- { // sessions are in order of their end
		if len(v.items[s]) > longest {
			continue
		}
		for _, item := range v.items[s] {
			v.idf[item]++
			if len(v.sessions[item]) < o.Sessions {
				v.sessions[item] = append(v.sessions[item], int32(s))
			}
		}
		all += len(v.items[s])
	}
	for item, n := range v.idf {
		v.idf[item] = 1
		if n > 0 && o.IDF && n < float64(all) {
			v.idf[item] = math.Log(float64(all) / n)
		}
	}
	return v
}

func quantile(values []int, q float64) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(math.Ceil(q*float64(len(sorted)))), len(sorted)-1)]
}

// oldest is a heap of sessions, the one that ended first on top.
type oldest struct {
	sessions []int32
	end      []float64
}

func (o *oldest) Len() int           { return len(o.sessions) }
func (o *oldest) Less(i, j int) bool { return o.end[o.sessions[i]] < o.end[o.sessions[j]] }
func (o *oldest) Swap(i, j int)      { o.sessions[i], o.sessions[j] = o.sessions[j], o.sessions[i] }
func (o *oldest) Push(x any)         { o.sessions = append(o.sessions, x.(int32)) }
func (o *oldest) Pop() any {
	last := o.sessions[len(o.sessions)-1]
	o.sessions = o.sessions[:len(o.sessions)-1]
	return last
}

func (v *vmis) rank(clicks []int32, scores []float32) {
	hide(scores)
	current := slices.Compact(slices.Clone(clicks))
	current = current[max(len(current)-v.options.Clicks, 0):]
	if len(current) == 0 {
		return
	}
	similar := v.similar(current)
	votes := map[int32]float64{}
	for _, n := range similar {
		first := 0 // clicks since the last common one, itself included
		for i := len(current) - 1; i >= 0 && first == 0; i-- {
			if _, ok := slices.BinarySearch(v.items[n.session], current[i]); ok {
				first = len(current) - i
			}
		}
		for _, item := range v.items[n.session] {
			votes[item] += (1 - 0.1*float64(first)) * v.idf[item] * n.similarity
		}
	}
	delete(votes, current[len(current)-1])
	for item, vote := range votes {
		scores[item] = float32(vote)
	}
}

type similarSession struct {
	session    int32
	similarity float64
}

// similar finds the k nearest of the m most recent sessions that share an item.
func (v *vmis) similar(current []int32) []similarSession {
	items := len(distinct(current))
	similarity, recent := map[int32]float64{}, &oldest{end: v.end}
	for i := len(current) - 1; i >= 0; i-- {
		if current[i] == Unknown || slices.Contains(current[i+1:], current[i]) {
			continue
		}
		weight := float64(i+1) / float64(items)
		for _, s := range v.sessions[current[i]] {
			if _, ok := similarity[s]; ok {
				similarity[s] += weight
				continue
			}
			if len(recent.sessions) < v.options.Sessions {
				heap.Push(recent, s)
			} else if oldest := recent.sessions[0]; v.end[s] > v.end[oldest] {
				delete(similarity, oldest)
				recent.sessions[0] = s
				heap.Fix(recent, 0)
			} else {
				break
			}
			similarity[s] = weight
		}
	}
	all := make([]similarSession, 0, len(similarity))
	for s, x := range similarity {
		all = append(all, similarSession{s, x})
	}
	slices.SortFunc(all, func(a, b similarSession) int {
		return cmp.Or(cmp.Compare(b.similarity, a.similarity), cmp.Compare(v.end[b.session], v.end[a.session]),
			cmp.Compare(b.session, a.session))
	})
	return all[:min(len(all), v.options.Neighbours)]
}
