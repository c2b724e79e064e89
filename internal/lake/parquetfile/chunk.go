package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"

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
		DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		Statistics: format.Statistics{NullCount: nulls}})
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
