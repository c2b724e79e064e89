package canonical

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type edge struct {
	a, b  int32
	label uint64
}

func graph(colours []uint64, all []edge) *Graph {
	return &Graph{Colours: colours, Edges: func(do func(a, b int32, label uint64)) {
		for _, e := range all {
			do(e.a, e.b, e.label)
		}
	}}
}

// form is the graph as its order shows it: equal for graphs that differ in their numbers only.
func form(t interface{ Fatalf(string, ...any) }, colours []uint64, all []edge) string {
	order := Order(graph(colours, all))
	at := make([]int32, len(order))
	for i := range at {
		at[i] = -1
	}
	shown := make([]uint64, len(order))
	for place, v := range order {
		if at[v] >= 0 {
			t.Fatalf("node %d comes twice", v)
		}
		at[v], shown[place] = int32(place), colours[v]
	}
	lines := make([]string, 0, len(all))
	for _, e := range all {
		lines = append(lines, fmt.Sprint(min(at[e.a], at[e.b]), max(at[e.a], at[e.b]), e.label))
	}
	slices.Sort(lines)
	return fmt.Sprint(shown, lines)
}

// shuffled numbers the nodes anew and changes the order of the edges.
func shuffled(rng *rand.Rand, colours []uint64, all []edge) ([]uint64, []edge) {
	number := rng.Perm(len(colours))
	to := make([]uint64, len(colours))
	for v, c := range colours {
		to[number[v]] = c
	}
	moved := make([]edge, len(all))
	for i, e := range all {
		moved[i] = edge{int32(number[e.a]), int32(number[e.b]), e.label}
		if rng.IntN(2) == 0 {
			moved[i].a, moved[i].b = moved[i].b, moved[i].a
		}
	}
	rng.Shuffle(len(moved), func(i, j int) { moved[i], moved[j] = moved[j], moved[i] })
	return to, moved
}

// TestOrderDoesNotDependOnNumbers draws small graphs with few colours and labels: twins, equal
// components, and nodes that only their surroundings tell apart.
func TestOrderDoesNotDependOnNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(t, "nodes")
		node := rapid.Int32Range(0, int32(n)-1)
		colours := rapid.SliceOfN(rapid.Uint64Range(0, 1), n, n).Draw(t, "colours")
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) edge {
			return edge{node.Draw(t, "a"), node.Draw(t, "b"), rapid.Uint64Range(0, 1).Draw(t, "label")}
		}), 0, 40).Draw(t, "edges")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		other, moved := shuffled(rng, colours, all)
		if a, b := form(t, colours, all), form(t, other, moved); a != b {
			t.Fatalf("the same graph, numbered otherwise:\n%s\n%s", a, b)
		}
	})
}

// TestOrderOfRegularGraphs: colours alone tell nothing here.
func TestOrderOfRegularGraphs(t *testing.T) {
	t.Parallel()
	ring := func(from, n int32) (all []edge) {
		for i := range n {
			all = append(all, edge{from + i, from + (i+1)%n, 0})
		}
		return all
	}
	random := func(seed uint64, n, degree int) (all []edge) { // customers 0 to n-1, products n to 2n-1
		rng := rand.New(rand.NewPCG(seed, 1))
		for range degree {
			for c, p := range rng.Perm(n) {
				all = append(all, edge{int32(c), int32(n + p), 0})
			}
		}
		return all
	}
	tests := map[string]struct {
		nodes int
		edges []edge
	}{
		"a ring of 12":         {12, ring(0, 12)},
		"rings of 12, 6 and 6": {24, slices.Concat(ring(0, 6), ring(6, 12), ring(18, 6))},
		"fifty pairs": {100, slices.Collect(func(yield func(edge) bool) {
			for i := int32(0); i < 100; i += 2 {
				yield(edge{i, i + 1, 7})
			}
		})},
		"no edges":                   {9, nil},
		"random, three ratings each": {60, random(1, 30, 3)},
		"random, four ratings each":  {200, random(2, 100, 4)},
		"random, two ratings each":   {80, random(3, 40, 2)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			colours := make([]uint64, test.nodes)
			want := form(t, colours, test.edges)
			rng := rand.New(rand.NewPCG(5, 5))
			for range 20 {
				other, moved := shuffled(rng, colours, test.edges)
				if got := form(t, other, moved); got != want {
					t.Fatalf("numbered otherwise:\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

// TestOrderOfManyEqualParts ends, though nobody can look ahead for each of so many pairs.
func TestOrderOfManyEqualParts(t *testing.T) {
	t.Parallel()
	const pairs = 100_000
	var all []edge
	for i := int32(0); i < 2*pairs; i += 2 {
		all = append(all, edge{i, i + 1, 0})
	}
	colours := make([]uint64, 2*pairs)
	start := time.Now()
	order := Order(graph(colours, all))
	t.Logf("%d pairs in %v", pairs, time.Since(start))
	sorted := slices.Clone(order)
	slices.Sort(sorted)
	for i, v := range sorted {
		if int(v) != i {
			t.Fatal("the order is no permutation")
		}
	}
}
