// Package canonical numbers the nodes of a graph by how they are connected, never by their names or
// their order: two graphs that differ only in how their nodes are numbered become the same graph.
// Training puts customers and products into this order first, so that no figure depends on how a
// shop spells its codes or on the order of its rows.
//
// It refines colours (Weisfeiler and Lehman): a node's colour takes in the colours of its
// neighbours until no two nodes can be told apart any further. Nodes that still look alike are
// singled out one after the other, as McKay and Piperno's canonical labelling does
// (https://arxiv.org/abs/1301.1493), looking one step ahead instead of searching to the end.
//
// Nodes of equal colour are nearly always interchangeable, and then it makes no difference which
// comes first. Only highly regular graphs, such as block designs, have nodes of equal colour that
// are not interchangeable even after the step ahead. Their order is not canonical.
//
// It owns the order. What nodes, edges and labels mean belongs to its caller.
package canonical

import (
	"cmp"
	"slices"
)

// Graph is undirected. Equal colours say that two nodes are alike as far as anyone knows without
// looking at their edges.
type Graph struct {
	Colours []uint64 // one a node
	// Edges calls edge for each edge, in any order, the same edges each time.
	Edges func(edge func(a, b int32, label uint64))
}

// mostRounds bounds the refinement by rounds over all edges. Shops need two or three; what is left
// after so many is refined cell by cell.
const mostRounds = 50

// Order is the nodes in canonical order. Its time is a few passes over the edges, and its memory 40
// bytes a node, as long as hardly any nodes look alike without being twins (nodes with the same
// neighbours); otherwise 32 bytes more for each edge between such nodes. One goroutine.
func Order(g *Graph) []int32 {
	colours, stable := g.rounds()
	order := make([]int32, len(colours))
	for v := range order {
		order[v] = int32(v)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(colours[a], colours[b]) })
	alike := make([]bool, len(colours)) // with another node
	some := false
	for i, v := range order {
		if i > 0 && colours[order[i-1]] == colours[v] {
			alike[order[i-1]], alike[v], some = true, true, true
		}
	}
	if !some {
		return order
	}
	if !stable { // what single nodes have to say has not reached everyone
		for v := range alike {
			alike[v] = true
		}
	}
	g.settle(order, colours, alike)
	return order
}

// rounds gives each node the colour of its surroundings. stable says that another round would tell
// no more nodes apart.
func (g *Graph) rounds() (colours []uint64, stable bool) {
	n := len(g.Colours)
	colours = slices.Clone(g.Colours)
	signs, sums, sorted := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	before := distinct(colours, sorted)
	for range mostRounds {
		if before == n {
			return colours, true
		}
		for v, c := range colours {
			signs[v] = mix(c)
		}
		clear(sums)
		g.Edges(func(a, b int32, label uint64) {
			sums[a] += mix(label ^ signs[b])
			sums[b] += mix(label ^ signs[a])
		})
		for v := range colours {
			colours[v] = mix(colours[v]*3 + sums[v])
		}
		now := distinct(colours, sorted)
		if now == before {
			return colours, true
		}
		before = now
	}
	return colours, false
}

func distinct(colours, scratch []uint64) (n int) {
	copy(scratch, colours)
	slices.Sort(scratch)
	for i, c := range scratch {
		if i == 0 || c != scratch[i-1] {
			n++
		}
	}
	return n
}

// settle orders the nodes that look alike, each class within its places of order.
func (g *Graph) settle(order []int32, colours []uint64, alike []bool) {
	number := make([]int32, len(order)) // of the nodes that look alike, in order
	var nodes, places []int32
	for place, v := range order {
		number[v] = -1
		if alike[v] {
			number[v] = int32(len(nodes))
			nodes, places = append(nodes, v), append(places, int32(place))
		}
	}
	edges := newEdges(len(nodes), func(edge func(a, b int32, label uint64)) {
		g.Edges(func(a, b int32, label uint64) {
			if x, y := number[a], number[b]; x >= 0 && y >= 0 {
				edge(x, y, label)
			}
		})
	})
	own := make([]uint64, len(nodes))
	for i, v := range nodes {
		own[i] = colours[v]
	}
	for i, node := range refine(edges, own) {
		order[places[i]] = nodes[node]
	}
}

// mix spreads the bits of x (splitmix64's finaliser).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
