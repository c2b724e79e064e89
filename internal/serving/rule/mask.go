package rule

import (
	"math/bits"
	"sync"
)

// word is how many products a word of a mask has.
const word = 64

// Mask is a set of products by number: bit i%64 of word i/64 is product i. What is behind the last product
// is not in it.
type Mask []uint64

// Has says whether product i is in the set.
func (m Mask) Has(i int32) bool { return m[i/word]>>(i%word)&1 == 1 }

// Count is how many products are in the set.
func (m Mask) Count() (n int) {
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

func (m Mask) set(i int32)   { m[i/word] |= 1 << (i % word) }
func (m Mask) clear(i int32) { m[i/word] &^= 1 << (i % word) }

// narrow leaves in m what is in by too or, with not, what is not in by.
func (m Mask) narrow(by Mask, not bool) {
	by = by[:len(m)]
	if not {
		for i := range m {
			m[i] &^= by[i]
		}
		return
	}
	for i := range m {
		m[i] &= by[i]
	}
}

// narrowEach leaves in m each product that holds or, with not, that does not.
func (m Mask) narrowEach(not bool, holds func(i int32) bool) {
	for k, w := range m {
		for ; w != 0; w &= w - 1 {
			if i := int32(k*word + bits.TrailingZeros64(w)); holds(i) == not {
				m.clear(i)
			}
		}
	}
}

// spare are masks for a moment.
var spare = sync.Pool{New: func() any { return new(Mask) }}

// borrow is a mask of so many words, which may have any bits, and what gives it back.
func borrow(words int) (m Mask, giveBack func()) {
	kept := spare.Get().(*Mask)
	if cap(*kept) < words {
		*kept = make(Mask, words)
	}
	return (*kept)[:words], func() { spare.Put(kept) }
}
