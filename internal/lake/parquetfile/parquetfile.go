// Package parquetfile writes Parquet files whose columns come as dictionary codes or as runs, so
// that no value is hashed or compared per row: the caller knows its values beforehand. It owns
// pages, column chunks and the footer of flat schemas of texts and integers; what the columns mean
// is the caller's. Readers are parquet-go's and everybody's.
//
// A file is row groups, written column by column in the schema's order:
//
//	w.Runs(…); w.Packed(…); w.Integers(…); w.EndGroup(); …; w.Close()
//
// Dictionary columns are RLE_DICTIONARY over a PLAIN dictionary page, integers DELTA_BINARY_PACKED,
// data pages of version 1, all compressed with snappy. The format:
// https://parquet.apache.org/docs/file-format/
package parquetfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	magic = "PAR1"
	// pageRows bounds a page to half a megabyte of integers, which readers decode at a time.
	pageRows = 64 * 1024
	// Null is the NULL of Integers.
	Null = -1 << 63
	// version is of the format as this package writes it: without anything that came after 2013.
	version = 1
)

// ErrColumn means that a row group's columns do not come as the schema has them.
var ErrColumn = errors.New("column does not fit the schema")

// Writer writes one file. After an error it is of no use. It is for one goroutine.
type Writer struct {
	out       io.Writer
	createdBy string
	schema    []format.SchemaElement // the first one is the root
	orders    []format.ColumnOrder
	groups    []format.RowGroup
	chunks    []format.ColumnChunk // of the row group that is open
	written   int64

	compact thrift.CompactProtocol
	levels  levels // of the page that is open, as the following
	indexes indexes
	body    []byte
	page    []byte
	packed  []byte // compressed
	header  bytes.Buffer
	values  []int64
	delta   delta.BinaryPackedEncoding
	snappy  snappy.Codec
}

// New begins a file with the columns of schema, all of them leaves, in their order. createdBy
// becomes part of the file.
func New(out io.Writer, schema *parquet.Schema, createdBy string) (*Writer, error) {
	w := &Writer{out: out, createdBy: createdBy}
	root := format.SchemaElement{Name: schema.Name(), NumChildren: thrift.New(int32(len(schema.Fields())))}
	w.schema = append(w.schema, root)
	for _, field := range schema.Fields() {
		if !field.Leaf() || field.Repeated() {
			return nil, fmt.Errorf("%w: %s is not a single value", ErrColumn, field.Name())
		}
		w.schema = append(w.schema, element(field))
		w.orders = append(w.orders, *field.Type().ColumnOrder())
	}
	return w, w.write([]byte(magic))
}

func element(field parquet.Field) format.SchemaElement {
	repetition := format.Required
	if field.Optional() {
		repetition = format.Optional
	}
	e := format.SchemaElement{Name: field.Name(), RepetitionType: thrift.New(repetition)}
	if physical := field.Type().PhysicalType(); physical != nil {
		e.Type.Set(*physical)
	}
	if converted := field.Type().ConvertedType(); converted != nil {
		e.ConvertedType.Set(*converted)
	}
	if logical := field.Type().LogicalType(); logical != nil {
		e.LogicalType = *logical
		if decimal, ok := logical.Value.(*format.DecimalType); ok { // for readers that do not know logical types
			e.Scale.Set(decimal.Scale)
			e.Precision.Set(decimal.Precision)
		}
	}
	return e
}

// Size is the bytes written so far.
func (w *Writer) Size() int64 { return w.written }

func (w *Writer) write(data []byte) error {
	n, err := w.out.Write(data)
	w.written += int64(n)
	return err
}

// begin opens the next column chunk.
func (w *Writer) begin(kinds ...format.Type) (*chunk, error) {
	if len(w.chunks) == len(w.schema)-1 {
		return nil, fmt.Errorf("%w: the row group has all its %d columns", ErrColumn, len(w.chunks))
	}
	e := w.schema[len(w.chunks)+1]
	if !slices.Contains(kinds, e.Type.V) {
		return nil, fmt.Errorf("%w: %s is %s", ErrColumn, e.Name, e.Type.V)
	}
	c := &chunk{name: e.Name, optional: e.RepetitionType.V == format.Optional, start: w.written}
	c.meta = format.ColumnMetaData{Type: e.Type.V, PathInSchema: []string{e.Name}, Codec: format.Snappy}
	return c, nil
}

// end closes the column chunk.
func (w *Writer) end(c *chunk, min, max []byte) {
	c.meta.TotalCompressedSize = w.written - c.start
	c.meta.Statistics = format.Statistics{NullCount: c.nulls, MinValue: min, MaxValue: max}
	w.chunks = append(w.chunks, format.ColumnChunk{MetaData: c.meta})
}

// EndGroup completes a row group, whose columns all hold the same number of rows.
func (w *Writer) EndGroup() error {
	if len(w.chunks) != len(w.schema)-1 {
		return fmt.Errorf("%w: the row group has %d of %d columns", ErrColumn, len(w.chunks), len(w.schema)-1)
	}
	group := format.RowGroup{Columns: w.chunks, NumRows: w.chunks[0].MetaData.NumValues, Ordinal: int16(len(w.groups))}
	for i, c := range w.chunks {
		if c.MetaData.NumValues != group.NumRows {
			return fmt.Errorf("%w: %s has %d rows, the first column %d", ErrColumn, w.schema[i+1].Name, c.MetaData.NumValues,
				group.NumRows)
		}
		group.TotalByteSize += c.MetaData.TotalUncompressedSize
		group.TotalCompressedSize += c.MetaData.TotalCompressedSize
	}
	first := w.chunks[0].MetaData
	group.FileOffset = first.DataPageOffset
	if first.DictionaryPageOffset != 0 {
		group.FileOffset = first.DictionaryPageOffset
	}
	w.groups, w.chunks = append(w.groups, group), nil
	return nil
}

// Close writes the footer. It does not close what is written to.
func (w *Writer) Close() error {
	if len(w.chunks) > 0 {
		return fmt.Errorf("%w: a row group is open", ErrColumn)
	}
	meta := format.FileMetaData{Version: version, Schema: w.schema, RowGroups: w.groups, CreatedBy: w.createdBy,
		ColumnOrders: w.orders}
	for _, g := range w.groups {
		meta.NumRows += g.NumRows
	}
	footer, err := thrift.Marshal(&w.compact, &meta)
	if err != nil {
		return fmt.Errorf("encode footer: %w", err)
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return w.write(append(footer, magic...))
}
