// Package scan answers from the products of a model version in memory, exactly: it compares every
// product. The questions of a batch share their passes over the vectors. It owns the form in which
// products lie in memory. It knows no customers, and does not say what can be bought: its caller
// does, with each question.
package scan

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
)

// Index holds the products of one version. It is filled row by row, by one goroutine, and then safe
// for concurrent use.
type Index struct {
	solver    modelversion.Solver
	codes     []string
	numbers   map[string]int32 // by code
	positives []int32
	stocked   []bool  // as the version says
	popular   []int32 // by popularity, then by code
	// The vectors lie by their lengths, the longest first, in blocks. The products of a block are in order.
	items   []int32                   // the product at each place
	places  []int32                   // the place of each product
	vectors *ials.Vectors             // by place
	lengths []float32                 // one over the length of the vector at each place; NaN: it has none
	cosines [][ials.PanelRows]float32 // the scale of each place, divided by its length
	bounds  []bounds                  // of each block
	near    lists
	nearest []atomic.Pointer[nearest] // of each product; nil: nobody has asked yet
	free    sync.Pool                 // of *room
}

// bounds are of the vectors of a block.
type bounds struct {
	longest float64 // the length of the longest one
	off     float64 // the most that rounding took from one
	turned  float64 // the same as a share of its length
}

// lists are the neighbours of all products, one after the other.
type lists struct {
	start []int64 // of each product, and the end of the last one; empty: the version has no neighbours
	all   []modelversion.Neighbour
}

func (l *lists) of(i int32) []modelversion.Neighbour {
	if len(l.start) == 0 || l.start[i] == l.start[i+1] {
		return nil
	}
	return l.all[l.start[i]:l.start[i+1]:l.start[i+1]]
}

// What an index takes, in bytes, beside the vectors.
const (
	itemBytes      = 328 // a code, its place in the map, its nearest products, and the other columns
	neighbourBytes = 8
)

// Bytes is about what an index takes: of so many products, of dim components and with at most so many
// neighbours each.
func Bytes(items, dim, neighbours int) int64 {
	return int64(items) * (ials.VectorBytes(dim) + int64(itemBytes+neighbourBytes*neighbours))
}

// New makes room for the products of a version.
func New(solver modelversion.Solver, items int) *Index {
	return &Index{solver: solver, codes: make([]string, 0, items), numbers: make(map[string]int32, items),
		positives: make([]int32, 0, items), stocked: make([]bool, 0, items), vectors: ials.NewVectors(items, solver.Dim),
		nearest: make([]atomic.Pointer[nearest], items), lengths: make([]float32, items)}
}

// Add adds the next product, in the order of the version.
func (x *Index) Add(code string, positives int32, stocked bool, vector []float32) error {
	i := len(x.codes)
	switch {
	case i == cap(x.codes):
		return fmt.Errorf("there are more products than %d", i)
	case len(vector) != x.solver.Dim || !modelversion.Finite(vector...):
		return fmt.Errorf("the vector of product %d does not have %d finite components", i, x.solver.Dim)
	case i > 0 && code <= x.codes[i-1]:
		return fmt.Errorf("product %d is not in the order of the codes", i)
	}
	x.codes, x.positives, x.stocked = append(x.codes, code), append(x.positives, positives), append(x.stocked, stocked)
	x.numbers[code] = int32(i)
	copy(x.vectors.At(i), vector) // until arrange
	return nil
}

// AddNear adds the neighbours of the next product, in the order of the version. A version has lists for
// all of its products or for none.
func (x *Index) AddNear(list []modelversion.Neighbour) error {
	before := int32(-1)
	for _, n := range list {
		if n.Item <= before || int(n.Item) >= len(x.codes) || !(n.Weight >= 0) || !modelversion.Finite(n.Weight) {
			return fmt.Errorf("the neighbour %d of weight %g is not one of %d products, in order", n.Item, n.Weight,
				len(x.codes))
		}
		before = n.Item
	}
	if x.near.start == nil {
		x.near.start = make([]int64, 0, len(x.codes)+1)
		x.near.all = make([]modelversion.Neighbour, 0, len(x.codes)*x.solver.Neighbours)
	}
	x.near.start = append(x.near.start, int64(len(x.near.all)))
	x.near.all = append(x.near.all, list...)
	return nil
}

// Finish ends the filling.
func (x *Index) Finish() error {
	if len(x.codes) < cap(x.codes) {
		return fmt.Errorf("there are %d products, not %d", len(x.codes), cap(x.codes))
	}
	if with := x.solver.Neighbours > 0; with && len(x.near.start) != len(x.codes) || !with && len(x.near.start) > 0 {
		return errors.New("the neighbours are not those of the products")
	}
	if len(x.near.start) > 0 {
		x.near.start = append(x.near.start, int64(len(x.near.all)))
	}
	x.popular = make([]int32, len(x.codes))
	for i := range x.popular {
		x.popular[i] = int32(i)
	}
	x.arrange()
	slices.SortStableFunc(x.popular, func(a, b int32) int { return cmp.Compare(x.positives[b], x.positives[a]) })
	return nil
}

// Shown says of each product whether it can be bought: as state says, by code, else as the version
// does. The caller may change what it gets.
func (x *Index) Shown(state map[string]bool) []bool {
	shown := slices.Clone(x.stocked)
	for code, can := range state {
		x.Show(shown, code, can)
	}
	return shown
}

// Show changes what Shown returned for one product, which the version need not have.
func (x *Index) Show(shown []bool, code string, can bool) {
	if i, ok := x.numbers[code]; ok {
		shown[i] = can
	}
}

// Stock is what the version says of a product, and whether it has it.
func (x *Index) Stock(code string) (stocked, known bool) {
	i, known := x.numbers[code]
	return known && x.stocked[i], known
}

// Lookup finds products by code.
func (x *Index) Lookup(codes []string) map[string]recommend.Item {
	found := make(map[string]recommend.Item, len(codes))
	for _, code := range codes {
		if i, ok := x.numbers[code]; ok {
			found[code] = recommend.Item{Number: i, Likes: x.positives[i],
				Vector: x.vectors.At(int(x.places[i])), Near: x.near.of(i)}
		}
	}
	return found
}

// arrange puts the vectors in their places, and rounds them.
func (x *Index) arrange() {
	n := len(x.codes)
	lengths := make([]float64, n)
	x.items, x.places = make([]int32, n), make([]int32, n)
	for i := range x.items {
		x.items[i], lengths[i] = int32(i), lengthOf(x.vectors.At(i))
	}
	slices.SortStableFunc(x.items, func(a, b int32) int { return cmp.Compare(lengths[b], lengths[a]) })
	for own := range slices.Chunk(x.items, blockRows) {
		x.bounds = append(x.bounds, bounds{longest: lengths[own[0]]})
		slices.Sort(own)
	}
	x.move()
	x.cosines = make([][ials.PanelRows]float32, x.vectors.Len())
	for place, item := range x.items {
		x.places[item] = int32(place)
		off, b := x.vectors.Round(place), &x.bounds[place/blockRows]
		b.off = max(b.off, off)
		x.lengths[place] = float32(math.NaN())
		if length := lengths[item]; length > 0 {
			x.lengths[place] = float32(1 / length)
			b.turned = max(b.turned, off/length)
		}
		panel, row := place/ials.PanelRows, place%ials.PanelRows
		x.cosines[panel][row] = x.vectors.Scales()[panel][row] * x.lengths[place]
	}
}

// move puts the vector of each product into its place, one after the other, where it pushes out the next one.
func (x *Index) move() {
	moved := make([]bool, len(x.items))
	first := make([]float32, x.solver.Dim)
	for start := range moved {
		copy(first, x.vectors.At(start))
		for place := start; !moved[place]; place = int(x.items[place]) {
			moved[place] = true
			if from := int(x.items[place]); from == start {
				copy(x.vectors.At(place), first)
			} else {
				copy(x.vectors.At(place), x.vectors.At(from))
			}
		}
	}
}

func lengthOf(vector []float32) float64 {
	sum := 0.0
	for _, v := range vector {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
