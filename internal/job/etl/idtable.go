package etl

import (
	"encoding/binary"
	"math/bits"

	"kindred/internal/platform/text"
)

// idTable finds the index of a product or a customer by its id. A rating costs two places in memory:
// a slot, and the id with its index. With 20,000 products both lie in a processor's second cache or
// near it. Go's map looks at three and more, and at strings that lie anywhere, which was half of all
// the time that an extract took.
type idTable struct {
	shift   uint     // of a hash, to a slot
	slots   []uint64 // an entry's place and, in its low bits, some of the id's hash; 0: free
	entries []byte   // after one byte, for each id: its index, its length, its bytes
}

const (
	hashBits  = 24
	hashMask  = 1<<hashBits - 1
	indexSize = 4
	headSize  = indexSize + 1 // of an entry
)

// newIDTable is for ids that differ and that text.CheckID accepts.
func newIDTable(ids []string) *idTable {
	size := 1
	for _, id := range ids {
		size += headSize + len(id)
	}
	log := uint(bits.Len(uint(len(ids)))) + 1 // at most half full
	t := &idTable{shift: 64 - log, slots: make([]uint64, 1<<log), entries: make([]byte, 1, size)}
	for i, id := range ids {
		hash := hashID(id)
		at := hash >> t.shift
		for t.slots[at] != 0 {
			at = (at + 1) & uint64(len(t.slots)-1)
		}
		t.slots[at] = uint64(len(t.entries))<<hashBits | hash&hashMask
		t.entries = binary.LittleEndian.AppendUint32(t.entries, uint32(i))
		t.entries = append(append(t.entries, byte(len(id))), id...)
	}
	return t
}

func (t *idTable) find(id string) (index int32, known bool) {
	if len(id) > text.MaxID {
		return 0, false
	}
	hash := hashID(id)
	for at := hash >> t.shift; ; at = (at + 1) & uint64(len(t.slots)-1) {
		slot := t.slots[at]
		if slot == 0 {
			return 0, false
		}
		if slot&hashMask != hash&hashMask {
			continue
		}
		entry := t.entries[slot>>hashBits:]
		if size := int(entry[indexSize]); size == len(id) && string(entry[headSize:headSize+size]) == id {
			return int32(binary.LittleEndian.Uint32(entry)), true
		}
	}
}

// hashID mixes an id's bytes, eight at a time, and its length.
func hashID(id string) uint64 {
	// two odd numbers without pattern
	const x, y = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	var first, last uint64 // eight bytes each, which may overlap
	if len(id) >= 8 {
		first, last = eight(id), eight(id[len(id)-8:])
	} else {
		for i := range len(id) {
			first |= uint64(id[i]) << (8 * i)
		}
	}
	high, low := bits.Mul64(first^x, last^uint64(len(id))^y)
	for i := 8; i+8 < len(id); i += 8 {
		high, low = bits.Mul64(high^low^eight(id[i:])^x, y)
	}
	return high ^ low
}

// eight is the first eight bytes as a number; the compiler makes it one load.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
