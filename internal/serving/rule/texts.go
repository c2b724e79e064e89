package rule

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
	"unsafe"
)

// texts are a column of texts, one behind the other: whoever compares all of them reads memory in its order.
type texts struct {
	from []int    // where the text of each product begins
	size []int32  // one more than its length; 0: it is not known
	hash []uint32 // 0: it is not known; padded to whole words
	data []byte
	dead int // bytes of data that belong to no product any more
}

// textBytes is what a text takes in its column, beside itself.
const textBytes = 8 + 4 + 4

// get is the text of a product, if it is known. It is valid until the next put.
func (c *texts) get(i int32) (s string, known bool) {
	size := int(c.size[i]) - 1
	if size <= 0 {
		return "", size == 0
	}
	return unsafe.String(&c.data[c.from[i]], size), true //nolint:gosec // nobody writes to it: put appends, or copies all
}

// put says what the text of a product is now; nil: it is not known.
func (c *texts) put(i int32, s *string) {
	before, known := c.get(i)
	switch {
	case s == nil:
		c.dead += len(before)
		c.size[i], c.hash[i] = 0, 0
		return
	case known && before == *s:
		return
	}
	c.dead += len(before)
	c.from[i], c.size[i], c.hash[i] = len(c.data), int32(len(*s))+1, hash(*s)
	c.data = append(c.data, *s...)
	if c.dead > len(c.data)/2 {
		c.compact()
	}
}

// compact leaves out what belongs to no product.
func (c *texts) compact() {
	data := make([]byte, 0, (len(c.data)-c.dead)*5/4)
	for i := range c.size {
		s, _ := c.get(int32(i))
		c.from[i], data = len(data), append(data, s...)
	}
	c.data, c.dead = data, 0
}

// seed makes hashes of this process: who sends products cannot choose equal ones.
var seed = maphash.MakeSeed()

// hash is a text's, and not 0.
func hash(s string) uint32 { return max(1, uint32(maphash.String(seed, s))) }

// keepTexts compares hashes first where that is enough, and texts only if it must.
func (l *leaf) keepTexts(column *texts, m Mask) {
	switch l.by {
	case equal, notEqual, among:
		l.keepEqual(column, m)
	case prefix:
		want := l.values[0].text
		m.narrowEach(l.not, func(i int32) bool {
			s, known := column.get(i)
			return known && strings.HasPrefix(s, want)
		})
	default:
		m.narrowEach(l.not, func(i int32) bool {
			s, known := column.get(i)
			return known && l.matchText(s)
		})
	}
}

// atOnce is how many texts are compared with those of all products. More are looked up.
const atOnce = 8

// keepEqual compares the hashes of a word's products at once.
func (l *leaf) keepEqual(column *texts, m Mask) {
	hashes := make([]uint32, len(l.values))
	for n, v := range l.values {
		hashes[n] = hash(v.text)
	}
	if len(hashes) > atOnce {
		slices.Sort(hashes)
		m.narrowEach(l.not, func(i int32) bool {
			_, may := slices.BinarySearch(hashes, column.hash[i])
			s, known := column.get(i)
			return may && known && l.matchText(s)
		})
		return
	}
	for k, w := range m {
		if w == 0 {
			continue
		}
		of := (*[word]uint32)(column.hash[k*word:])
		var equals uint64
		for _, h := range hashes {
			equals |= equalTo(of, h)
		}
		for rest := equals & w; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros64(rest)
			s, _ := column.get(int32(k*word + i))
			if !slices.ContainsFunc(l.values, func(v value) bool { return v.text == s }) {
				equals &^= 1 << i
			}
		}
		if l.by == notEqual {
			equals = ^equalTo(of, 0) &^ equals
		}
		if l.not {
			equals = ^equals
		}
		m[k] = w & equals
	}
}
