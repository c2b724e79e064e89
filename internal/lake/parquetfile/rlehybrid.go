package parquetfile

import "encoding/binary"

// appendRun appends a run of Parquet's RLE/bit-packed hybrid: n times the same value.
func appendRun(dst []byte, value, n uint32, width uint) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for ; width > 0; width -= min(width, 8) {
		dst = append(dst, byte(value))
		value >>= 8
	}
	return dst
}

// appendPacked appends one bit-packed run with the codes of all entities, filled up with zeros to a
// multiple of eight.
func appendPacked(dst []byte, entities, table []uint32, width uint) []byte {
	groups := (len(entities) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*int(width)
	bits, held := uint64(0), uint(0)
	for _, code := range entities {
		if table != nil {
			code = table[code]
		}
		bits |= uint64(code) << held
		if held += width; held >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(bits))
			bits >>= 32
			held -= 32
		}
	}
	for len(dst) < end {
		dst = append(dst, byte(bits))
		bits >>= 8
	}
	return dst
}

// indexes collects a page of dictionary codes behind their width, equal neighbours joined into one run.
type indexes struct {
	body  []byte
	width uint
	code  uint32
	n     uint32
}

func (x *indexes) reset(width uint) {
	*x = indexes{body: append(x.body[:0], byte(width)), width: width}
}

func (x *indexes) add(code, n uint32) {
	if x.code != code {
		x.flush()
		x.code = code
	}
	x.n += n
}

func (x *indexes) flush() {
	if x.n > 0 {
		x.body = appendRun(x.body, x.code, x.n, x.width)
		x.n = 0
	}
}

func (x *indexes) finish() []byte {
	x.flush()
	return x.body
}

// levels collects which rows of a page hold a value.
type levels struct {
	runs        []byte
	rows, nulls int64
	present     bool
	n           uint32
}

func (l *levels) add(present bool, n uint32) {
	if l.present != present {
		l.flush()
		l.present = present
	}
	l.n += n
	l.rows += int64(n)
	if !present {
		l.nulls += int64(n)
	}
}

func (l *levels) flush() {
	if l.n == 0 {
		return
	}
	value := uint32(0)
	if l.present {
		value = 1
	}
	l.runs = appendRun(l.runs, value, l.n, 1)
	l.n = 0
}

// appendTo appends the definition levels as a data page of version 1 has them, behind their length.
func (l *levels) appendTo(dst []byte) []byte {
	l.flush()
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(l.runs)))
	return append(dst, l.runs...)
}

func (l *levels) reset() { *l = levels{runs: l.runs[:0]} }
