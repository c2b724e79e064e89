package canonical

import (
	"cmp"
	"slices"
)

// edges are a graph's in both directions.
type edges struct {
	start  []int   // of each node's edges, and the end
	to     []int32 // other ends
	labels []uint64
}

func newEdges(nodes int, each func(edge func(a, b int32, label uint64))) *edges {
	e := &edges{start: make([]int, nodes+1)}
	each(func(a, b int32, _ uint64) {
		e.start[a]++
		e.start[b]++
	})
	sum := 0
	for v, degree := range e.start {
		sum += degree
		e.start[v] = sum
	}
	e.to, e.labels = make([]int32, sum), make([]uint64, sum)
	put := func(a, b int32, label uint64) {
		e.start[a]--
		e.to[e.start[a]], e.labels[e.start[a]] = b, label
	}
	each(func(a, b int32, label uint64) {
		put(a, b, label)
		put(b, a, label)
	})
	return e
}

// of is the neighbours of v with the edges' labels.
func (e *edges) of(v int32) ([]int32, []uint64) {
	return e.to[e.start[v]:e.start[v+1]], e.labels[e.start[v]:e.start[v+1]]
}

// twins gives nodes with the same neighbours by the same labels the same number. They can change
// places without anybody noticing.
func (e *edges) twins() []uint64 {
	marks := make([]uint64, len(e.start)-1)
	for v := range marks {
		to, labels := e.of(int32(v))
		for i, u := range to {
			marks[v] += mix(labels[i] ^ mix(uint64(u)))
		}
	}
	return marks
}

// partition is nodes in cells. A cell is named by its place, which does not depend on the numbers
// of its nodes.
type partition struct {
	order []int32 // nodes, cell after cell
	place []int32 // of each node in order
	cell  []int32 // of each node: where its cell begins
	size  []int32 // of the cell that begins there
}

func (p *partition) clone() *partition {
	return &partition{slices.Clone(p.order), slices.Clone(p.place), slices.Clone(p.cell), slices.Clone(p.size)}
}

func (p *partition) swap(a, b int32) { // places
	u, v := p.order[a], p.order[b]
	p.order[a], p.order[b], p.place[u], p.place[v] = v, u, b, a
}

// single gives v a cell of its own, the last part of its cell.
func (p *partition) single(v int32) (cell int32) {
	c := p.cell[v]
	last := c + p.size[c] - 1
	p.swap(last, p.place[v])
	p.cell[v], p.size[last] = last, 1
	p.size[c]--
	return last
}

// mostWork bounds looking ahead, in steps of some nanoseconds.
const mostWork = 20_000_000

// refine orders nodes of known colours, equal ones next to each other in ascending order already.
func refine(e *edges, colours []uint64) []int32 {
	n := int32(len(colours))
	p := &partition{make([]int32, n), make([]int32, n), make([]int32, n), make([]int32, n)}
	var cells []int32
	for v := range n {
		p.order[v], p.place[v] = v, v
		if v == 0 || colours[v] != colours[v-1] {
			cells = append(cells, v)
		}
		p.cell[v] = cells[len(cells)-1]
		p.size[p.cell[v]]++
	}
	r := &refiner{edges: e, sums: make([]uint64, n), waiting: make([]bool, n)}
	r.run(p, cells)
	twins, work := e.twins(), 0
	for c := int32(0); c < n; {
		most := len(colours)
		if work > mostWork {
			most = 2 // are there two kinds? That is all to know
		}
		candidates := distinctBy(p.order[c:c+p.size[c]], twins, most)
		if len(candidates) < 2 { // alone, or all are twins
			c += p.size[c]
			continue
		}
		if work += len(candidates) * (4*int(n) + len(e.to)); work > mostWork {
			r.run(p, []int32{p.single(candidates[0])})
			continue
		}
		var best *partition
		var least uint64
		for _, v := range candidates {
			q := p.clone()
			if trace := r.run(q, []int32{q.single(v)}); best == nil || trace < least {
				best, least = q, trace
			}
		}
		p = best
	}
	return p.order
}

// distinctBy is a node for each mark, at most so many.
func distinctBy(nodes []int32, marks []uint64, most int) (some []int32) {
	if len(nodes) == 1 {
		return nodes
	}
	seen := map[uint64]bool{}
	for _, v := range nodes {
		if !seen[marks[v]] {
			seen[marks[v]] = true
			if some = append(some, v); len(some) == most {
				break
			}
		}
	}
	return some
}

// refiner splits cells until all nodes of a cell have the same edges to every other cell.
type refiner struct {
	edges   *edges
	sums    []uint64 // by node: of its edges to the cell that splits; zeros between calls
	waiting []bool   // by cell
}

// run splits by the waiting cells and by what comes of them. The trace tells what it did, in terms
// that do not depend on the nodes' numbers.
func (r *refiner) run(p *partition, queue []int32) (trace uint64) {
	for _, c := range queue {
		r.waiting[c] = true
	}
	var touched, members []int32
	for len(queue) > 0 {
		c := queue[0]
		queue, r.waiting[c] = queue[1:], false
		touched, members = touched[:0], append(members[:0], p.order[c:c+p.size[c]]...)
		for _, v := range members {
			to, labels := r.edges.of(v)
			for i, u := range to {
				if p.size[p.cell[u]] == 1 {
					continue
				}
				if r.sums[u] == 0 {
					touched = append(touched, u)
				}
				r.sums[u] += mix(labels[i])
			}
		}
		slices.SortFunc(touched, func(a, b int32) int {
			return cmp.Or(cmp.Compare(p.cell[a], p.cell[b]), cmp.Compare(r.sums[a], r.sums[b]))
		})
		for rest := touched; len(rest) > 0; {
			k := 1
			for k < len(rest) && p.cell[rest[k]] == p.cell[rest[0]] {
				k++
			}
			queue = r.split(p, rest[:k], queue, &trace)
			rest = rest[k:]
		}
		for _, u := range touched {
			r.sums[u] = 0
		}
	}
	return trace
}

// split parts a cell by the sums of its touched nodes, which are in ascending order of them. The
// untouched stay in front.
func (r *refiner) split(p *partition, touched, queue []int32, trace *uint64) []int32 {
	c := p.cell[touched[0]]
	size := p.size[c]
	from := c + size - int32(len(touched))
	for i := len(touched) - 1; i >= 0; i-- {
		p.swap(from+int32(i), p.place[touched[i]])
	}
	parts := make([]int32, 0, 8)
	if from > c {
		parts = append(parts, c)
	}
	for i, v := range touched {
		if i == 0 || r.sums[v] != r.sums[touched[i-1]] {
			parts = append(parts, from+int32(i))
			*trace = mix(*trace ^ mix(r.sums[v]) + uint64(from) + uint64(i))
		}
	}
	largest := 0
	for i, part := range parts {
		end := c + size
		if i+1 < len(parts) {
			end = parts[i+1]
		}
		p.size[part] = end - part
		if part != c {
			for _, v := range p.order[part:end] {
				p.cell[v] = part
			}
		}
		if p.size[part] > p.size[parts[largest]] {
			largest = i
		}
	}
	// One part need not wait: the others and the cell, which has split already, tell what it would tell.
	skipped := parts[largest]
	if r.waiting[c] {
		skipped = c
	}
	for _, part := range parts {
		if part != skipped {
			queue, r.waiting[part] = append(queue, part), true
		}
	}
	return queue
}
