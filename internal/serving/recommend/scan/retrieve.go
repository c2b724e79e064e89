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
// stay in the second-level cache up to 512 components. They have blockRows places.
const (
	block     = 16
	blockRows = block * ials.PanelRows
)

// query is a question on its way through the products.
type query struct {
	vector []float32
	length float64                  // of the vector, made longer by what rounding may add to a score; infinite: unknown
	cosine bool                     // scores are divided by the lengths of the products' vectors
	added  []modelversion.Neighbour // what is left of it, by place, in ascending order
	left   []int32                  // the products to leave out, ascending
	limit  int
	all    bool    // also what cannot be bought
	floor  float32 // what has a lower score is none of the best
	best   []scored
	ruled  *ruled // nil: there are no rules
}

type scored struct {
	item  int32
	score float32
}

// room is what a pass writes to, of one block.
type room struct {
	scores [blockRows][ials.PanelRows]float32
	masks  [block]uint16
}

// Retrieve answers all searches and neighbour questions, in their order, each best first; equals are in
// the order of their codes. hidden are the products, by number, that the customer of each search does
// not see; shown says which products can be bought. fresh are the products that the version does not know.
// facts are what rules see; nil: no question has rules. The questions must be sound (their method Check).
func (x *Index) Retrieve(searches []recommend.Search, hidden [][]int32, neighbours []recommend.Neighbours,
	shown []bool, fresh *NewItems, facts *Facts) ([][]recommend.Candidate, [][]recommend.Similar) {
	queries := make([]*query, 0, len(searches)+len(neighbours))
	of := make([]*query, len(searches))
	for i := range searches {
		of[i] = x.search(&searches[i], hidden[i])
		of[i].ruled = facts.of(searches[i].Rules)
		if searches[i].Vector != nil {
			queries = append(queries, of[i])
		}
	}
	questions := make([]*question, len(neighbours))
	for i, n := range neighbours {
		if questions[i] = x.question(n, fresh, facts); questions[i].query != nil {
			queries = append(queries, questions[i].query)
		}
	}
	x.scan(queries, shown)
	candidates := make([][]recommend.Candidate, len(searches))
	parallel.Tasks(min(runtime.GOMAXPROCS(0), len(of)), len(of), func(_, i int) {
		if searches[i].Vector == nil {
			x.byPopularity(of[i], shown)
		}
		found := x.candidates(of[i].best)
		facts.mark(of[i].ruled, found)
		candidates[i] = append(found, fresh.search(&searches[i])...)
	})
	return candidates, x.similar(questions, shown, fresh)
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
	q := &query{vector: s.Vector, added: x.placed(s.Added), left: left, limit: min(s.Limit, recommend.MaxLimit),
		floor: float32(math.Inf(-1))}
	q.length = lengthOf(s.Vector) * (1 + float64(len(s.Vector))*rounding)
	return q
}

// rounding is what each step of a sum may be off by, as a share, with room to spare.
const rounding = 1.0 / (1 << 22)

// placed is a list with places instead of products, in ascending order.
func (x *Index) placed(list []modelversion.Neighbour) []modelversion.Neighbour {
	if len(list) == 0 {
		return nil
	}
	if !slices.IsSortedFunc(list, byItem) {
		list = slices.SortedFunc(slices.Values(list), byItem)
	}
	starts, n := make([]int32, len(x.longest)+1), 0 // of each block
	for _, a := range list {
		if a.Item >= 0 && int(a.Item) < len(x.places) {
			starts[x.places[a.Item]/blockRows+1]++
			n++
		}
	}
	for i := range x.longest {
		starts[i+1] += starts[i]
	}
	placed := make([]modelversion.Neighbour, n)
	for _, a := range list { // those of a block stay in their order
		if a.Item >= 0 && int(a.Item) < len(x.places) {
			place := x.places[a.Item]
			at := &starts[place/blockRows]
			placed[*at] = modelversion.Neighbour{Item: place, Weight: a.Weight}
			*at++
		}
	}
	return placed
}

func byItem(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) }

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
	r, _ := x.free.Get().(*room)
	if r == nil {
		r = new(room)
	}
	defer x.free.Put(r)
	for b, longest := range x.longest {
		from := b * block
		to := min(from+block, x.vectors.Len())
		for g, group := range groups {
			var which uint16
			for i, q := range group {
				if !q.mayHave(longest, int32(to*ials.PanelRows)) {
					continue
				}
				if panels := q.panels(from); bits.OnesCount16(panels) > sparse {
					which |= 1 << i
				} else {
					x.few(vectors, g, i, q, from, panels, shown, r)
				}
			}
			if which == 0 {
				continue
			}
			x.vectors.Products(vectors, g, which, from, to, r.scores[:])
			for i, q := range group {
				if which>>i&1 == 1 {
					x.take(q, from, r.scores[i:], r.masks[:to-from], shown)
				}
			}
		}
	}
}

// mayHave says whether one of the best products may be in the block that ends before a place, and whose longest
// vector is so long: an inner product is not larger than the product of the lengths. If not, it goes on to the
// next block.
func (q *query) mayHave(longest float64, end int32) bool {
	bound, floor := q.length*longest, float64(q.floor)
	if !(q.most(bound) < floor) {
		return true
	}
	n := 0
	for ; n < len(q.added) && q.added[n].Item < end; n++ {
		if !(q.most(bound+float64(q.added[n].Weight)*(1+2*rounding)) < floor) {
			return true
		}
	}
	q.added = q.added[n:]
	return false
}

// take looks at a query's scores of the panels from on: the first one is scores[0], the next ones follow
// with those of the other queries between them.
func (x *Index) take(q *query, from int, scores [][ials.PanelRows]float32, masks []uint16, shown []bool) {
	var scale [][ials.PanelRows]float32
	if q.cosine {
		scale = x.lengths[from : from+len(masks)]
	}
	low := q.threshold()
	x.vectors.Above(masks, scores, scale, below(low))
	first := int32(from * ials.PanelRows)
	for len(q.added) > 0 && q.added[0].Item < first { // of places that the filter does not allow
		q.added = q.added[1:]
	}
	for ; len(q.added) > 0 && q.added[0].Item < first+int32(len(masks)*ials.PanelRows); q.added = q.added[1:] {
		panel, row := (q.added[0].Item-first)/ials.PanelRows, (q.added[0].Item-first)%ials.PanelRows
		score := &scores[panel*ials.PanelRows][row]
		if *score += q.added[0].Weight; *score >= low {
			masks[panel] |= 1 << row
		}
	}
	q.keepAllowed(from, masks)
	for panel, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			row := bits.TrailingZeros16(mask)
			place := int(first) + panel*ials.PanelRows + row
			if place >= len(x.items) {
				continue
			}
			if score := q.ruled.boosted(scores[panel*ials.PanelRows][row], int32(place)); score >= q.floor {
				q.keep(x.items[place], score, shown)
			}
		}
	}
}

// keep puts a product into the list of the best ones, if it may be there: equals are in the order of their
// codes.
func (q *query) keep(item int32, score float32, shown []bool) {
	at := sort.Search(len(q.best), func(i int) bool {
		return q.best[i].score < score || q.best[i].score == score && q.best[i].item > item
	})
	if at == q.limit || !shown[item] && !q.all {
		return
	}
	if _, leave := slices.BinarySearch(q.left, item); leave {
		return
	}
	if len(q.best) == q.limit {
		q.best = q.best[:q.limit-1]
	}
	q.best = slices.Insert(q.best, at, scored{item, score})
	if len(q.best) == q.limit {
		q.floor = q.best[q.limit-1].score
	}
}

func (x *Index) candidates(best []scored) []recommend.Candidate {
	found := make([]recommend.Candidate, len(best))
	room := make([]float32, 0, len(best)*x.solver.Dim)
	for i, s := range best {
		start := len(room)
		room = x.vectors.AppendVector(room, int(x.places[s.item]))
		found[i] = recommend.Candidate{Item: s.item, Code: x.codes[s.item], Score: s.score,
			Vector: room[start:len(room):len(room)]}
	}
	return found
}
