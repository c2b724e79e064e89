package parquetfile

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// Dictionary is the distinct values of a column chunk. The code of a value is its place among them.
// Its methods give it new values and use its memory again. The zero value has none.
type Dictionary struct {
	kind     format.Type
	n        int
	plain    []byte
	min, max []byte // nil without values
}

// Texts makes it the dictionary of a text column.
func (d *Dictionary) Texts(values []string) *Dictionary {
	*d = Dictionary{kind: format.ByteArray, n: len(values), plain: d.plain[:0]}
	for _, v := range values {
		d.plain = binary.LittleEndian.AppendUint32(d.plain, uint32(len(v)))
		d.plain = append(d.plain, v...)
	}
	if d.n > 0 {
		d.min, d.max = []byte(slices.Min(values)), []byte(slices.Max(values))
	}
	return d
}

// Int32s makes it the dictionary of a column of 32-bit integers or shorter ones.
func (d *Dictionary) Int32s(values []int32) *Dictionary {
	return integers(d, format.Int32, values,
		func(dst []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(dst, uint32(v)) })
}

// Int64s makes it the dictionary of a column of 64-bit integers or decimals.
func (d *Dictionary) Int64s(values []int64) *Dictionary {
	return integers(d, format.Int64, values,
		func(dst []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(v)) })
}

func integers[T int32 | int64](d *Dictionary, kind format.Type, values []T,
	plain func([]byte, T) []byte) *Dictionary {
	*d = Dictionary{kind: kind, n: len(values), plain: d.plain[:0]}
	for _, v := range values {
		d.plain = plain(d.plain, v)
	}
	if d.n > 0 {
		d.min, d.max = plain(nil, slices.Min(values)), plain(nil, slices.Max(values))
	}
	return d
}

// Runs writes a column that is the same for all rows of a run: table[run.Entity] is its code in the
// dictionary, or None.
func (w *Writer) Runs(d *Dictionary, runs []Run, table []uint32) error {
	c, width, err := w.beginDictionary(d)
	if err != nil {
		return err
	}
	w.indexes.reset(width)
	inPage := uint32(0)
	for _, run := range runs {
		code := table[run.Entity]
		for left := run.Length; left > 0; {
			n := min(left, pageRows-inPage)
			w.levels.add(code != None, n)
			if code != None {
				w.indexes.add(code, n)
			}
			left -= n
			if inPage += n; inPage == pageRows {
				if err := w.endPage(c, format.RLEDictionary, w.indexes.finish()); err != nil {
					return err
				}
				w.indexes.reset(width)
				inPage = 0
			}
		}
	}
	if inPage > 0 || len(runs) == 0 {
		if err := w.endPage(c, format.RLEDictionary, w.indexes.finish()); err != nil {
			return err
		}
	}
	w.end(c, d.min, d.max)
	return nil
}

// Packed writes a column without NULLs whose values change from row to row: table[entity] is a
// row's code in the dictionary. A nil table means that the entities are the codes.
func (w *Writer) Packed(d *Dictionary, entities, table []uint32) error {
	c, width, err := w.beginDictionary(d)
	if err != nil {
		return err
	}
	for first := true; first || len(entities) > 0; first = false {
		page := entities[:min(len(entities), pageRows)]
		entities = entities[len(page):]
		w.levels.add(true, uint32(len(page)))
		w.body = append(w.body[:0], byte(width))
		if len(page) > 0 {
			w.body = appendPacked(w.body, page, table, width)
		}
		if err := w.endPage(c, format.RLEDictionary, w.body); err != nil {
			return err
		}
	}
	w.end(c, d.min, d.max)
	return nil
}

// beginDictionary opens a column chunk and writes its dictionary page. width is the bits of a code.
func (w *Writer) beginDictionary(d *Dictionary) (c *chunk, width uint, err error) {
	if c, err = w.begin(d.kind); err != nil {
		return nil, 0, err
	}
	c.meta.Encoding = []format.Encoding{format.Plain, format.RLE, format.RLEDictionary}
	c.meta.DictionaryPageOffset = w.written
	header := format.PageHeader{Type: format.DictionaryPage}
	header.DictionaryPageHeader.Set(format.DictionaryPageHeader{NumValues: int32(d.n), Encoding: format.Plain})
	if err := w.writePage(c, &header, d.plain); err != nil {
		return nil, 0, err
	}
	c.meta.DataPageOffset = w.written
	return c, max(1, uint(bits.Len(uint(max(1, d.n)-1)))), nil
}
