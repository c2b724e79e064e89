package rule

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// keepTerms joins the lists of the values that the leaf holds for or, if there are fewer products in them,
// takes the lists of the others away from all products that have a value.
func (l *leaf) keepTerms(d *dictionary, m Mask) {
	lists, others, known := l.lists(d)
	if len(lists) == 1 && lists[0].bits != nil {
		m.narrow(lists[0].bits, l.not)
		return
	}
	all, giveBack := borrow(len(m))
	defer giveBack()
	if known != nil && count(others) < count(lists) {
		copy(all, known)
		for _, p := range others {
			p.takeFrom(all)
		}
	} else {
		clear(all)
		for _, p := range lists {
			p.addTo(all)
		}
	}
	m.narrow(all, l.not)
}

func count(lists []*posting) (n int) {
	for _, p := range lists {
		n += p.count
	}
	return n
}

// lists are the lists of the values that the leaf holds for. Where each value had to be looked at, others
// are those of the other values of the same type, and known are the products with a value of this type.
func (l *leaf) lists(d *dictionary) (all, others []*posting, known Mask) {
	if l.by == equal || l.by == contains || l.by == among {
		for _, v := range l.values {
			if n, ok := d.numbers[v.any()]; ok {
				all = append(all, &d.entries[n].posting)
			}
		}
		return all, nil, nil
	}
	of := l.values[0].kind
	for n := range d.entries {
		switch e := &d.entries[n]; {
		case e.count == 0 || kindOf(e.value) != of:
		case l.matchAttribute(e.value):
			all = append(all, &e.posting)
		default:
			others = append(others, &e.posting)
		}
	}
	return all, others, d.known[of]
}

// any is the literal as the value of a dictionary.
func (v value) any() any {
	switch v.kind {
	case digits:
		return v.number.float()
	case flag:
		return v.flag
	}
	return v.text
}

// kindOf is the type of a dictionary's value.
func kindOf(value any) kind {
	switch value.(type) {
	case float64:
		return digits
	case bool:
		return flag
	}
	return text
}

// dictionary is the values of a fact, each with its products.
type dictionary struct {
	entries []entry
	numbers map[any]int32 // of string, float64 and bool values
	free    []int32       // entries that no product has
	known   map[kind]Mask // the products with a value of a type; of categories, of which one has many, none
}

type entry struct {
	value any
	posting
}

// term is a value that a product has: the numbers of a dictionary and of a value in it.
type term struct{ of, value int32 }

func (t term) compare(u term) int {
	return cmp.Or(cmp.Compare(t.of, u.of), cmp.Compare(t.value, u.value))
}

// termsOf are the terms of a product, ascending, each of them once.
func (c *Columns) termsOf(p *Product) (all []term) {
	add := func(f field, key string, value any) { all = append(all, c.term(fact{f, key}, value)) }
	if p.Brand != nil {
		add(fieldBrand, "", *p.Brand)
	}
	if p.Currency != nil {
		add(fieldCurrency, "", *p.Currency)
	}
	for _, category := range p.Categories {
		add(fieldCategories, "", category)
	}
	for _, key := range slices.Sorted(maps.Keys(p.Attributes)) {
		switch v := p.Attributes[key].(type) {
		case string, bool:
			add(fieldAttributes, key, v)
		case float64:
			if !math.IsNaN(v) {
				add(fieldAttributes, key, v)
			}
		}
	}
	slices.SortFunc(all, term.compare)
	return slices.Clip(slices.Compact(all))
}

// What dictionaries take, in about bytes: one by itself, a value in it beside its text, and a product that
// has a value.
const (
	dictionaryBytes = 300
	valueBytes      = 120
	termBytes       = 16
)

// term finds or makes a value's term.
func (c *Columns) term(of fact, value any) term {
	number, known := c.numbers[of]
	if !known {
		number = int32(len(c.shared))
		d := &dictionary{numbers: map[any]int32{}}
		if of.field != fieldCategories {
			d.known = map[kind]Mask{}
		}
		c.numbers[of], c.shared = number, append(c.shared, d)
		c.heap += dictionaryBytes + int64(len(of.key))
	}
	d := c.shared[number]
	n, known := d.numbers[value]
	if !known {
		if last := len(d.free) - 1; last >= 0 {
			n, d.free = d.free[last], d.free[:last]
		} else {
			n, d.entries = int32(len(d.entries)), append(d.entries, entry{})
		}
		d.numbers[value], d.entries[n].value = n, value
		c.heap += valueBytes + lengthOf(value)
	}
	return term{number, n}
}

func lengthOf(value any) int64 {
	s, _ := value.(string)
	return int64(len(s))
}

// setTerms changes the lists by what differs from before.
func (c *Columns) setTerms(i int32, now []term) {
	before := c.terms[i]
	c.heap += int64(len(now)-len(before)) * termBytes
	c.terms[i] = now
	for _, t := range before {
		if _, stays := slices.BinarySearchFunc(now, t, term.compare); !stays {
			c.forget(t, i)
		}
	}
	for _, t := range now {
		if _, was := slices.BinarySearchFunc(before, t, term.compare); !was {
			c.add(t, i)
		}
	}
}

// add adds a product to a value's list.
func (c *Columns) add(t term, i int32) {
	d := c.shared[t.of]
	e := &d.entries[t.value]
	e.add(i, c.n)
	if d.known == nil {
		return
	}
	of := kindOf(e.value)
	if d.known[of] == nil {
		d.known[of] = make(Mask, len(c.available))
		c.heap += int64(len(c.available)) * 8
	}
	d.known[of].set(i)
}

// forget takes a product from a value's list, and the value from its dictionary if it was the last one.
func (c *Columns) forget(t term, i int32) {
	d := c.shared[t.of]
	e := &d.entries[t.value]
	e.remove(i)
	if d.known != nil {
		d.known[kindOf(e.value)].clear(i)
	}
	if e.count > 0 {
		return
	}
	delete(d.numbers, e.value)
	c.heap -= valueBytes + lengthOf(e.value)
	*e = entry{}
	d.free = append(d.free, t.value)
}

// posting is a set of products: a list in ascending order or, where that is smaller, a mask.
type posting struct {
	count int
	list  []int32
	bits  Mask // nil: the list counts
}

// add adds one of n products, which is not in the set.
func (p *posting) add(i int32, n int) {
	p.count++
	if p.bits != nil {
		p.bits.set(i)
		return
	}
	at, _ := slices.BinarySearch(p.list, i)
	if p.list = slices.Insert(p.list, at, i); len(p.list) > max(16, n/32) {
		all := make(Mask, (n+word-1)/word)
		p.addTo(all)
		p.list, p.bits = nil, all
	}
}

// remove takes out a product that is in the set.
func (p *posting) remove(i int32) {
	p.count--
	if p.bits != nil {
		p.bits.clear(i)
		return
	}
	at, _ := slices.BinarySearch(p.list, i)
	p.list = slices.Delete(p.list, at, at+1)
}

// addTo adds the set to a mask.
func (p *posting) addTo(m Mask) {
	if p.bits == nil {
		for _, i := range p.list {
			m.set(i)
		}
		return
	}
	for k, w := range p.bits[:len(m)] {
		m[k] |= w
	}
}

// takeFrom takes the set from a mask.
func (p *posting) takeFrom(m Mask) {
	if p.bits == nil {
		for _, i := range p.list {
			m.clear(i)
		}
		return
	}
	m.narrow(p.bits, true)
}
