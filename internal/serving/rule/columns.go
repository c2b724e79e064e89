package rule

import (
	"math/bits"
	"slices"
)

// Columns are the facts of n products, by number, in a form that answers an expression for all of them
// fast. They are safe for concurrent use, but not while Set changes them.
//
// Numbers and times are columns. Names, addresses and ids, which differ from product to product, are texts
// with a hash beside them. For what products share, an inverted list of products is kept with each value:
// brands, currencies, categories and attributes.
type Columns struct {
	n         int
	available Mask
	wholes    map[field][]int64 // in the units of the field, or unknown; padded to whole words
	texts     map[field]*texts
	numbers   map[fact]int32 // of the dictionaries
	shared    []*dictionary
	terms     [][]term // of each product, ascending
	heap      int64    // bytes that products have in addition
}

// fact is what a dictionary is about: a field or, with a key, an attribute.
type fact struct {
	field field
	key   string
}

// NewColumns makes room for n products of which nothing is known.
func NewColumns(n int) *Columns {
	words := (n + word - 1) / word
	c := &Columns{n: n, available: make(Mask, words), wholes: map[field][]int64{}, texts: map[field]*texts{},
		numbers: map[fact]int32{}, terms: make([][]term, n)}
	for _, f := range []field{fieldPrice, fieldStock, fieldFirstSeen} {
		c.wholes[f] = slices.Repeat([]int64{unknown}, words*word)
	}
	for _, f := range []field{fieldID, fieldName, fieldURL, fieldImage} {
		c.texts[f] = &texts{from: make([]int, n), size: make([]int32, n), hash: make([]uint32, words*word)}
	}
	return c
}

// productBytes is what a product takes before anything is known of it.
const productBytes = 3*8 + 4*textBytes + 24 + 1

// Bytes is about how much memory the columns take.
func (c *Columns) Bytes() int64 {
	bytes := int64(c.n)*productBytes + c.heap
	for _, column := range c.texts {
		bytes += int64(cap(column.data))
	}
	return bytes
}

// Set says what is known of product i now, instead of what was known before.
func (c *Columns) Set(i int32, p *Product) {
	c.available.clear(i)
	if p.Available {
		c.available.set(i)
	}
	for f, column := range c.wholes {
		column[i] = p.whole(f)
	}
	for f, column := range c.texts {
		column.put(i, p.text(f))
	}
	c.setTerms(i, c.termsOf(p))
}

// Mask is the set of the products that the expression holds for. It uses the memory of dst if that is
// large enough.
func (e *Expr) Mask(c *Columns, dst Mask) Mask {
	m := slices.Grow(dst[:0], len(c.available))[:len(c.available)]
	for k := range m {
		m[k] = ^uint64(0)
	}
	if rest := c.n % word; rest > 0 {
		m[len(m)-1] = 1<<rest - 1
	}
	e.root.keep(c, m)
	return m
}

func (b constant) keep(_ *Columns, m Mask) {
	if !b {
		clear(m)
	}
}

// keep asks the cheapest part first, and the others only about what is still open.
func (g *group) keep(c *Columns, m Mask) {
	if !g.any {
		for _, p := range g.parts {
			p.keep(c, m)
		}
		return
	}
	open, giveBack := borrow(len(m))
	defer giveBack()
	found, giveFound := borrow(len(m))
	defer giveFound()
	copy(open, m)
	for _, p := range g.parts {
		copy(found, open)
		p.keep(c, found)
		open.narrow(found, true)
	}
	m.narrow(open, true)
}

// Costs of leaves, about in microseconds for 100,000 products.
const (
	costFlag   = 1
	costTerm   = 5
	costWhole  = 50
	costEvery  = 100 // each value of a dictionary
	costHashes = 40
	costTexts  = 400
)

func (l *leaf) cost() int {
	exact := l.by == equal || l.by == contains || l.by == among
	switch fields[l.field] {
	case flag:
		return costFlag
	case digits, instant:
		return costWhole
	}
	switch _, dictionary := l.dictionary(); {
	case dictionary && exact:
		return costTerm * len(l.values)
	case dictionary:
		return costEvery
	case exact, l.by == notEqual:
		return costHashes * min(len(l.values), atOnce)
	}
	return costTexts
}

// dictionary is the fact whose dictionary answers the leaf, if one does.
func (l *leaf) dictionary() (of fact, ok bool) {
	switch l.field {
	case fieldBrand, fieldCurrency, fieldCategories, fieldAttributes:
		return fact{l.field, l.key}, true
	}
	return fact{}, false
}

func (l *leaf) keep(c *Columns, m Mask) {
	switch {
	case l.field == fieldAvailable:
		m.narrow(c.available, l.not)
		return
	case c.wholes[l.field] != nil:
		l.keepWholes(c.wholes[l.field], m)
		return
	case c.texts[l.field] != nil:
		l.keepTexts(c.texts[l.field], m)
		return
	}
	of, _ := l.dictionary()
	if number, ok := c.numbers[of]; ok {
		l.keepTerms(c.shared[number], m)
	} else if !l.not { // no product has ever had a value
		clear(m)
	}
}

// few is how many products of a word are looked at one by one.
const few = 6

// keepWholes compares numbers.
func (l *leaf) keepWholes(column []int64, m Mask) {
	if len(l.spans) > 2 {
		m.narrowEach(l.not, func(i int32) bool { return holds(l.spans, column[i]) })
		return
	}
	for k, w := range m {
		if w == 0 {
			continue
		}
		values := (*[word]int64)(column[k*word:])
		var in uint64
		if bits.OnesCount64(w) <= few {
			for rest := w; rest != 0; rest &= rest - 1 {
				if i := bits.TrailingZeros64(rest); holds(l.spans, values[i]) {
					in |= 1 << i
				}
			}
		} else {
			for _, s := range l.spans {
				in |= inside(values, s)
			}
		}
		if l.not {
			in = ^in
		}
		m[k] = w & in
	}
}
