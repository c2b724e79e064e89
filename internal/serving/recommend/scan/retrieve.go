package scan

import (
	"cmp"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sort"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/parallel"
	"kindred/internal/serving/recommend"
)

// block is how many panels are compared with all queries of a goroutine before the next ones: they
// stay in the second-level cache up to 512 components.
const block = 16

// query is a question on its way through the products.
type query struct {
	vector []float32
	cosine bool                     // scores are divided by the lengths of the products' vectors
	added  []modelversion.Neighbour // what is left of it, in ascending order
	left   []int32                  // the products to leave out, ascending
	limit  int
	floor  float32 // the score that a product must exceed
	best   []scored
}

type scored struct {
	item  int32
	score float32
}

// Retrieve answers all searches and neighbour questions, in their order, each best first; equals are in
// the order of their codes. hidden are the products, by number, that the customer of each search does
// not see; shown says which products can be bought. fresh are the products that the version does not know.
// The questions must be sound (their method Check).
func (x *Index) Retrieve(searches []recommend.Search, hidden [][]int32, neighbours []recommend.Neighbours,
	shown []bool, fresh *NewItems) ([][]recommend.Candidate, [][]recommend.Similar) {
	queries := make([]*query, 0, len(searches)+len(neighbours))
	of, near := make([]*query, len(searches)), make([]*query, len(neighbours))
	for i := range searches {
		of[i] = x.search(&searches[i], hidden[i])
		if searches[i].Vector != nil {
			queries = append(queries, of[i])
		}
	}
	for i, n := range neighbours {
		if near[i] = x.neighbours(n, fresh); near[i] != nil {
			queries = append(queries, near[i])
		}
	}
	x.scan(queries, shown)
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i, q := range of {
		if searches[i].Vector == nil {
			x.byPopularity(q, shown)
		}
		candidates[i] = append(x.candidates(q.best), fresh.search(&searches[i])...)
	}
	for i, q := range near {
		similar[i] = []recommend.Similar{}
		if q == nil {
			continue
		}
		for _, s := range q.best {
			similar[i] = append(similar[i], recommend.Similar{Code: x.codes[s.item], Distance: float32(1 - float64(s.score))})
		}
		similar[i] = recommend.Nearest(similar[i], fresh.near(neighbours[i].Code, q.vector), q.limit)
	}
	return candidates, similar
}

func (x *Index) search(s *recommend.Search, hidden []int32) *query {
	left := make([]int32, 0, len(s.Exclude)+len(hidden))
	for _, code := range s.Exclude {
		if i, ok := x.numbers[code]; ok {
			left = append(left, i)
		}
	}
	left = append(left, hidden...)
	slices.Sort(left)
	added := s.Added
	if !slices.IsSortedFunc(added, byItem) {
		added = slices.SortedFunc(slices.Values(added), byItem)
	}
	for len(added) > 0 && added[0].Item < 0 { // no product
		added = added[1:]
	}
	return &query{vector: s.Vector, added: added, left: left, limit: min(s.Limit, recommend.MaxLimit),
		floor: float32(math.Inf(-1))}
}

func byItem(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) }

// neighbours is nil for a product that has no vector.
func (x *Index) neighbours(n recommend.Neighbours, fresh *NewItems) *query {
	i, ok := x.numbers[n.Code]
	if !ok {
		direction := fresh.direction(n.Code)
		if direction == nil {
			return nil
		}
		return &query{vector: direction, cosine: true, limit: min(n.Limit, recommend.MaxLimit), floor: float32(math.Inf(-1))}
	}
	q := &query{vector: x.vectors.AppendVector(nil, int(i)), cosine: true, left: []int32{i},
		limit: min(n.Limit, recommend.MaxLimit), floor: float32(math.Inf(-1))}
	scale := x.lengths[i/ials.PanelRows][i%ials.PanelRows]
	for c := range q.vector {
		q.vector[c] *= scale
	}
	if weight := float32(x.solver.SimilarWeight); weight > 0 {
		q.added = slices.Clone(x.near.of(i))
		for k := range q.added {
			q.added[k].Weight *= weight
		}
	}
	return q
}

// scan gives every query its best products. Each goroutine takes some of the queries past all products.
func (x *Index) scan(queries []*query, shown []bool) {
	groups := slices.Collect(slices.Chunk(queries, ials.PanelRows))
	threads := min(runtime.GOMAXPROCS(0), len(groups))
	if threads == 0 {
		return
	}
	each := slices.Collect(slices.Chunk(groups, (len(groups)+threads-1)/threads))
	parallel.Tasks(len(each), len(each), func(_, i int) { x.pass(each[i], shown) })
}

// pass takes groups of at most 16 queries past all products.
func (x *Index) pass(groups [][]*query, shown []bool) {
	vectors := ials.NewPanels(len(groups)*ials.PanelRows, x.solver.Dim)
	for g, group := range groups {
		for i, q := range group {
			vectors.Set(g*ials.PanelRows+i, q.vector)
		}
	}
	scores, masks := make([][ials.PanelRows]float32, block*ials.PanelRows), make([]uint16, block)
	for from := 0; from < x.vectors.Len(); from += block {
		to := min(from+block, x.vectors.Len())
		for g, group := range groups {
			x.vectors.Products(vectors, g, len(group), from, to, scores)
			for i, q := range group {
				x.take(q, from, scores[i:], masks[:to-from], shown)
			}
		}
	}
}

// take looks at a query's scores of the panels from on: the first one is scores[0], the next ones follow
// with those of the other queries between them.
func (x *Index) take(q *query, from int, scores [][ials.PanelRows]float32, masks []uint16, shown []bool) {
	var scale [][ials.PanelRows]float32
	if q.cosine {
		scale = x.lengths[from : from+len(masks)]
	}
	x.vectors.Above(masks, scores, scale, q.floor)
	first := int32(from * ials.PanelRows)
	for ; len(q.added) > 0 && q.added[0].Item < first+int32(len(masks)*ials.PanelRows); q.added = q.added[1:] {
		panel, row := (q.added[0].Item-first)/ials.PanelRows, (q.added[0].Item-first)%ials.PanelRows
		scores[panel*ials.PanelRows][row] += q.added[0].Weight
		masks[panel] |= 1 << row
	}
	for panel, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			row := bits.TrailingZeros16(mask)
			if score := scores[panel*ials.PanelRows][row]; score > q.floor {
				q.keep(first+int32(panel*ials.PanelRows+row), score, shown)
			}
		}
	}
}

// keep puts a product into the list of the best ones, after its equals, if it may be there.
func (q *query) keep(item int32, score float32, shown []bool) {
	if int(item) >= len(shown) || !shown[item] {
		return
	}
	if _, leave := slices.BinarySearch(q.left, item); leave {
		return
	}
	at := sort.Search(len(q.best), func(i int) bool { return q.best[i].score < score })
	if len(q.best) == q.limit {
		q.best = q.best[:q.limit-1]
	}
	q.best = slices.Insert(q.best, at, scored{item, score})
	if len(q.best) == q.limit {
		q.floor = q.best[q.limit-1].score
	}
}

// byPopularity is scan in the popularity order.
func (x *Index) byPopularity(q *query, shown []bool) {
	for _, item := range x.popular {
		if len(q.best) == q.limit {
			return
		}
		if _, leave := slices.BinarySearch(q.left, item); !leave && shown[item] {
			q.best = append(q.best, scored{item, float32(x.positives[item])})
		}
	}
}

func (x *Index) candidates(best []scored) []recommend.Candidate {
	found := make([]recommend.Candidate, len(best))
	room := make([]float32, 0, len(best)*x.solver.Dim)
	for i, s := range best {
		start := len(room)
		room = x.vectors.AppendVector(room, int(s.item))
		found[i] = recommend.Candidate{Item: s.item, Code: x.codes[s.item], Score: s.score,
			Vector: room[start:len(room):len(room)]}
	}
	return found
}
