package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"kindred/internal/model/evaluation"
)

// shape is a generated data set: users with log-normal activity who draw items from a long tail of
// popularity, mostly from their own tastes.
type shape struct {
	name         string
	users, items int
	interactions int
	tail         float64 // exponent of popularity by rank
	seed         uint64
}

// The two shapes of the trials: one like MovieLens-1M, one like a shop with a large catalogue.
var shapes = []shape{
	{name: "dense", users: 6_000, items: 3_000, interactions: 800_000, tail: 0.8, seed: 1},
	{name: "sparse", users: 30_000, items: 41_000, interactions: 800_000, tail: 0.75, seed: 2},
}

const tastes = 40

// write puts the data into a file in the public adjacency format: a line per user, `user item item …`.
func (s shape) write(path string) error {
	rng := rand.New(rand.NewPCG(s.seed, 0))
	byTaste := make([][]int, tastes)
	cumulated := make([][]float64, tastes+1) // the last one is everything
	all := make([]int, s.items)
	for rank, item := range rng.Perm(s.items) {
		all[rank] = item
		p := math.Pow(float64(rank+10), -s.tail)
		for _, t := range []int{rng.IntN(tastes), tastes} {
			var last float64
			if n := len(cumulated[t]); n > 0 {
				last = cumulated[t][n-1]
			}
			cumulated[t] = append(cumulated[t], last+p)
			if t < tastes {
				byTaste[t] = append(byTaste[t], item)
			}
		}
	}
	activity := make([]float64, s.users)
	var sum float64
	for u := range activity {
		activity[u] = math.Exp(rng.NormFloat64())
		sum += activity[u]
	}
	p := &evaluation.Pairs{Products: s.items, Of: make([][]int32, s.users)}
	for u := range p.Of {
		want := min(max(5, int(activity[u]/sum*float64(s.interactions))), s.items/4)
		own := [3]int{rng.IntN(tastes), rng.IntN(tastes), rng.IntN(tastes)}
		seen := make(map[int]bool, want)
		for try := 0; len(seen) < want && try < 20*want; try++ {
			t, items := tastes, all
			if rng.Float64() < 0.7 {
				t = own[rng.IntN(len(own))]
				items = byTaste[t]
			}
			c := cumulated[t]
			i, _ := slices.BinarySearch(c, rng.Float64()*c[len(c)-1])
			seen[items[min(i, len(items)-1)]] = true
		}
		for i := range seen {
			p.Of[u] = append(p.Of[u], int32(i))
		}
		slices.Sort(p.Of[u])
	}
	return writePairs(path, p)
}

// writePairs writes the adjacency format.
func writePairs(path string, p *evaluation.Pairs) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create data: %w", err)
	}
	w := bufio.NewWriter(f)
	for u, own := range p.Of {
		fmt.Fprint(w, u)
		for _, i := range own {
			fmt.Fprint(w, " ", i)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return errors.Join(fmt.Errorf("write data: %w", err), f.Close())
	}
	return f.Close()
}

// read reads the adjacency format.
func read(path string) (*evaluation.Pairs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open data: %w", err)
	}
	p, err := evaluation.ReadAdjacency(f)
	return p, errors.Join(err, f.Close())
}
