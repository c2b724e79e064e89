package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunk is the column chunk that is being written.
type chunk struct {
	name     string
	optional bool
	start    int64
	nulls    int64
	meta     format.ColumnMetaData
}

// Run is Length rows that all belong to Entity.
type Run struct{ Entity, Length uint32 }

// None in a table of codes is NULL.
const None = math.MaxUint32

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

// Integers writes a column of 64-bit integers, where Null stands for NULL.
func (w *Writer) Integers(values []int64) error {
	c, err := w.begin(format.Int64)
	if err != nil {
		return err
	}
	c.meta.Encoding = []format.Encoding{format.RLE, format.DeltaBinaryPacked}
	c.meta.DataPageOffset = w.written
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for first := true; first || len(values) > 0; first = false {
		page := values[:min(len(values), pageRows)]
		values = values[len(page):]
		w.values = w.values[:0]
		for _, v := range page {
			w.levels.add(v != Null, 1)
			if v != Null {
				w.values = append(w.values, v)
				low, high = min(low, v), max(high, v)
			}
		}
		if w.body, err = w.delta.EncodeInt64(w.body[:0], w.values); err != nil {
			return err
		}
		if err := w.endPage(c, format.DeltaBinaryPacked, w.body); err != nil {
			return err
		}
	}
	if low > high { // all of them NULL
		w.end(c, nil, nil)
		return nil
	}
	w.end(c, binary.LittleEndian.AppendUint64(nil, uint64(low)), binary.LittleEndian.AppendUint64(nil, uint64(high)))
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

// endPage writes a data page of the rows in w.levels.
func (w *Writer) endPage(c *chunk, encoding format.Encoding, body []byte) error {
	rows, nulls := w.levels.rows, w.levels.nulls
	w.page = w.page[:0]
	if c.optional {
		w.page = w.levels.appendTo(w.page)
	} else if nulls > 0 {
		return fmt.Errorf("%w: NULL in %s", ErrColumn, c.name)
	}
	w.levels.reset()
	w.page = append(w.page, body...)
	c.meta.NumValues += rows
	c.nulls += nulls
	header := format.PageHeader{Type: format.DataPage}
	header.DataPageHeader.Set(format.DataPageHeader{NumValues: int32(rows), Encoding: encoding,
		DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE, Statistics: format.Statistics{NullCount: nulls}})
	return w.writePage(c, &header, w.page)
}

// writePage compresses a page and writes it behind its header.
func (w *Writer) writePage(c *chunk, header *format.PageHeader, data []byte) (err error) {
	if w.packed, err = w.snappy.Encode(w.packed[:0], data); err != nil {
		return fmt.Errorf("compress %s: %w", c.name, err)
	}
	header.UncompressedPageSize, header.CompressedPageSize = int32(len(data)), int32(len(w.packed))
	w.header.Reset()
	if err := thrift.NewEncoder(w.compact.NewWriter(&w.header)).Encode(header); err != nil {
		return fmt.Errorf("encode page header of %s: %w", c.name, err)
	}
	c.meta.TotalUncompressedSize += int64(w.header.Len() + len(data))
	if err := w.write(w.header.Bytes()); err != nil {
		return err
	}
	return w.write(w.packed)
}
