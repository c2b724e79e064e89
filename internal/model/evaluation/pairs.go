package evaluation

import (
	"slices"

	"kindred/internal/model/ials"
)

// Pairs is who likes what.
type Pairs struct {
	Products int
	Of       [][]int32 // products by customer, ascending, no duplicates
}

// NewPairs is the pairs of the ratings, whatever their stars; a pair that occurs twice counts once.
func NewPairs(customers, products int, ratings []Rating) *Pairs {
	p := &Pairs{Products: products, Of: make([][]int32, customers)}
	for _, r := range ratings {
		p.Of[r.Customer] = append(p.Of[r.Customer], r.Product)
	}
	p.tidy()
	return p
}

func (p *Pairs) tidy() {
	for c, own := range p.Of {
		slices.Sort(own)
		p.Of[c] = slices.Compact(own)
	}
}

// Remove leaves out the pairs that other has.
func (p *Pairs) Remove(other *Pairs) {
	for c := range p.Of {
		p.Of[c] = slices.DeleteFunc(p.Of[c], func(product int32) bool {
			_, has := slices.BinarySearch(other.Of[c], product)
			return has
		})
	}
}

// Count is the number of pairs.
func (p *Pairs) Count() (n int) {
	for _, own := range p.Of {
		n += len(own)
	}
	return n
}

// Transposed is p by product.
func (p *Pairs) Transposed() *Pairs {
	t := &Pairs{Products: len(p.Of), Of: make([][]int32, p.Products)}
	for c, own := range p.Of {
		for _, product := range own {
			t.Of[product] = append(t.Of[product], int32(c))
		}
	}
	return t
}

// Matrix weighs every pair the same.
func (p *Pairs) Matrix() *ials.Matrix {
	n := p.Count()
	m := &ials.Matrix{Rows: len(p.Of), Cols: p.Products, Start: make([]int, len(p.Of)+1), Col: make([]int32, 0, n),
		Weight: slices.Repeat([]float32{1}, n)}
	for c, own := range p.Of {
		m.Col = append(m.Col, own...)
		m.Start[c+1] = len(m.Col)
	}
	return m
}

// Task asks for the held-out pairs, with those of p masked. A customer without held-out pairs is no case.
func (p *Pairs) Task(held *Pairs) *Task {
	t := &Task{Products: p.Products}
	for c, own := range held.Of {
		if len(own) > 0 {
			t.Cases = append(t.Cases, Case{Customer: int32(c), Seen: p.Of[c], Relevant: own})
		}
	}
	return t
}

// Cut holds one pair in ten out, chosen by a hash, from customers who keep at least one.
func (p *Pairs) Cut(seed uint64) (rest, held *Pairs) {
	rest = &Pairs{Products: p.Products, Of: make([][]int32, len(p.Of))}
	held = &Pairs{Products: p.Products, Of: make([][]int32, len(p.Of))}
	for c, own := range p.Of {
		for _, product := range own {
			if Mix(Mix(seed^uint64(c))+uint64(product))%10 == 0 {
				held.Of[c] = append(held.Of[c], product)
			} else {
				rest.Of[c] = append(rest.Of[c], product)
			}
		}
		if len(rest.Of[c]) == 0 {
			rest.Of[c], held.Of[c] = own, nil
		}
	}
	return rest, held
}

// Sample is at most n of the task's cases, chosen by a hash; the rest is as it was.
func (t *Task) Sample(n int) *Task {
	if len(t.Cases) <= n {
		return t
	}
	cases := slices.Clone(t.Cases)
	slices.SortFunc(cases, func(a, b Case) int {
		x, y := Mix(uint64(a.Customer)+1), Mix(uint64(b.Customer)+1)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	cases = cases[:n]
	slices.SortFunc(cases, func(a, b Case) int { return int(a.Customer) - int(b.Customer) })
	return &Task{Products: t.Products, Cases: cases}
}

// With is the union of p and q, of the same size.
func (p *Pairs) With(q *Pairs) *Pairs {
	all := &Pairs{Products: p.Products, Of: make([][]int32, len(p.Of))}
	for c := range p.Of {
		all.Of[c] = slices.Concat(p.Of[c], q.Of[c])
	}
	all.tidy()
	return all
}
