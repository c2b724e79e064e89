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

// block is how many panels are compared with all queries of a goroutine before the next ones: what they are
// rounded to stays in the second-level cache up to 2,048 components. They have blockRows places.
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
	number int    // in its pass
}

type scored struct {
	item  int32
	score float32
}

// room is what a pass writes to, of one block.
type room struct {
	sums  [blockRows][ials.PanelRows]int32
	masks [block]uint16
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
	starts, n := make([]int32, len(x.bounds)+1), 0 // of each block
	for _, a := range list {
		if a.Item >= 0 && int(a.Item) < len(x.places) {
			starts[x.places[a.Item]/blockRows+1]++
			n++
		}
	}
	for i := range x.bounds {
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
	queries := ials.NewQueries(len(groups)*ials.PanelRows, x.solver.Dim)
	for g, group := range groups {
		for i, q := range group {
			q.number = g*ials.PanelRows + i
			queries.Set(q.number, q.vector)
		}
	}
	r, _ := x.free.Get().(*room)
	if r == nil {
		r = new(room)
	}
	defer x.free.Put(r)
	for b := range x.bounds {
		from := b * block
		to := min(from+block, x.vectors.Len())
		for g, group := range groups {
			var which uint16
			for i, q := range group {
				if !q.mayHave(x.bounds[b].longest, int32(to*ials.PanelRows)) {
					continue
				}
				if panels := q.panels(from); bits.OnesCount16(panels) > sparse {
					which |= 1 << i
				} else {
					x.few(queries, q, from, panels, shown, r)
				}
			}
			if which == 0 {
				continue
			}
			x.vectors.Estimates(queries, g, which, from, to, r.sums[:])
			for i, q := range group {
				if which>>i&1 == 1 {
					x.take(queries, q, from, r.sums[i:], r.masks[:to-from], shown)
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

// take looks at the estimates of a query for the panels from on: the first one is sums[0], the next ones follow
// with those of the other queries between them. It computes the scores of those that may be among the best.
func (x *Index) take(queries *ials.Queries, q *query, from int, sums [][ials.PanelRows]int32, masks []uint16,
	shown []bool) {
	scale, bounds := x.vectors.Scales(), &x.bounds[from/block]
	reach := 0.0
	if q.cosine {
		scale, reach = x.cosines, queries.Reach(q.number, 1+rounding, bounds.turned)
	} else {
		reach = queries.Reach(q.number, bounds.longest, bounds.off)
	}
	estimate := func(panel, row int) float64 {
		return queries.Estimate(q.number, sums[panel*ials.PanelRows][row], scale[from+panel][row]) + reach
	}
	x.vectors.Above(queries, q.number, masks, sums, scale[from:from+len(masks)], float64(below(q.threshold()))-reach)
	added := q.addedTo(int32(from*ials.PanelRows), int32((from+len(masks))*ials.PanelRows))
	for rest := added; len(rest) > 0; {
		place := int(rest[0].Item) - from*ials.PanelRows
		weight := sumOf(&rest)
		if panel, row := place/ials.PanelRows, place%ials.PanelRows; !(estimate(panel, row)+weight < q.lowest()) {
			masks[panel] |= 1 << row
		}
	}
	q.keepAllowed(from, masks)
	for panel, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			row := bits.TrailingZeros16(mask)
			place := (from+panel)*ials.PanelRows + row
			if place >= len(x.items) || !shown[x.items[place]] && !q.all {
				continue
			}
			weight := 0.0
			for len(added) > 0 && int(added[0].Item) < place {
				added = added[1:]
			}
			if len(added) > 0 && int(added[0].Item) == place {
				weight = sumOf(&added)
			}
			if estimate(panel, row)+weight < q.lowest() {
				continue
			}
			score := x.vectors.Product(q.vector, place)
			if q.cosine {
				score *= x.lengths[place]
			}
			if score = q.ruled.boosted(score+float32(weight), int32(place)); score >= q.floor {
				q.keep(x.items[place], score, shown)
			}
		}
	}
}

// lowest is the least estimate, made larger by what it may be off, of a product of the best ones.
func (q *query) lowest() float64 {
	low := float64(q.threshold())
	return low - math.Abs(low)*rounding
}

// addedTo is what is added to the places from ≤ p < to. What is added to earlier ones is of places that the
// filter does not allow. The query goes on with what is left.
func (q *query) addedTo(from, to int32) (added []modelversion.Neighbour) {
	at := func(place int32) int {
		n := 0
		for n < len(q.added) && q.added[n].Item < place {
			n++
		}
		return n
	}
	q.added = q.added[at(from):]
	n := at(to)
	added, q.added = q.added[:n], q.added[n:]
	return added
}

// sumOf takes what is added to the first place off a list.
func sumOf(added *[]modelversion.Neighbour) (sum float64) {
	place := (*added)[0].Item
	for ; len(*added) > 0 && (*added)[0].Item == place; *added = (*added)[1:] {
		sum += float64((*added)[0].Weight)
	}
	return sum
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
	for i, s := range best {
		found[i] = recommend.Candidate{Item: s.item, Code: x.codes[s.item], Score: s.score,
			Vector: x.vectors.At(int(x.places[s.item]))}
	}
	return found
}
