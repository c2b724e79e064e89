package rule

import (
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"
)

// texts are a column of texts, one behind the other: whoever compares all of them reads memory in its order.
type texts struct {
	from []int    // where the text of each product begins
	size []int32  // one more than its length; 0: it is not known
	hash []uint32 // 0: it is not known
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
	return unsafe.String(&c.data[c.from[i]], size), true // which nobody writes to: put appends, or copies all
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

// keepTexts compares hashes first, and texts only if it must.
func (l *leaf) keepTexts(column *texts, m Mask) {
	matches := func(i int32) bool {
		s, known := column.get(i)
		return known && l.matchText(s)
	}
	switch l.by {
	case equal, among:
	case prefix:
		want := l.values[0].text
		m.narrowEach(l.not, func(i int32) bool {
			s, known := column.get(i)
			return known && strings.HasPrefix(s, want)
		})
		return
	default:
		m.narrowEach(l.not, matches)
		return
	}
	hashes := make([]uint32, len(l.values))
	var some uint64 // a bit for each hash
	for n, v := range l.values {
		hashes[n] = hash(v.text)
		some |= 1 << (hashes[n] % word)
	}
	m.narrowEach(l.not, func(i int32) bool {
		h := column.hash[i]
		return some>>(h%word)&1 == 1 && slices.Contains(hashes, h) && matches(i)
	})
}
