package importer

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	types "github.com/parquet-go/parquet-go/format"
)

// parquetRowsReader reads the leaves of a Parquet file as text. Of a list it keeps the first value.
type parquetRowsReader struct {
	file   *parquet.File
	texts  []func(parquet.Value) string // by column
	groups []parquet.RowGroup
	rows   parquet.Rows
	ended  bool // rows has no more
	buffer []parquet.Row
	ready  []parquet.Row
	values []string
	row    int
}

func openParquet(f *os.File) (*parquet.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("the file is no Parquet file that can be read: %w", err)
	}
	return file, nil
}

// parquetColumns are the names of a file's leaves, a nested one with dots.
func parquetColumns(f *os.File) (names []string, err error) {
	file, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	for _, path := range file.Schema().Columns() {
		names = append(names, strings.Join(path, "."))
	}
	return names, nil
}

func newParquetRows(s *sheet, f *os.File) (*parquetRowsReader, error) {
	file, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	p := &parquetRowsReader{file: file, groups: file.RowGroups(), buffer: make([]parquet.Row, 256),
		values: make([]string, len(s.columns))}
	for _, path := range file.Schema().Columns() {
		leaf, _ := file.Schema().Lookup(path...)
		p.texts = append(p.texts, parquetText(leaf.Node.Type()))
	}
	return p, nil
}

// parquetText says how a column's values are written.
func parquetText(t parquet.Type) func(parquet.Value) string {
	if t.Kind() == parquet.Int96 { // old timestamps of Spark and pandas: nanoseconds of the day, then the Julian day
		return func(v parquet.Value) string {
			i := v.Int96()
			const julian1970, day = 2440588, 24 * 60 * 60
			return moment(time.Unix((int64(i[2])-julian1970)*day, int64(i[1])<<32|int64(i[0])))
		}
	}
	logical := t.LogicalType()
	if logical == nil {
		return parquet.Value.String
	}
	switch kind := logical.Value.(type) {
	case *types.TimestampType:
		unit := int64(time.Second / time.Millisecond)
		switch kind.Unit.Value.(type) {
		case *types.MicroSeconds:
			unit = int64(time.Second / time.Microsecond)
		case *types.NanoSeconds:
			unit = int64(time.Second)
		}
		return func(v parquet.Value) string {
			return moment(time.Unix(v.Int64()/unit, v.Int64()%unit*(int64(time.Second)/unit)))
		}
	case *types.DateType:
		return func(v parquet.Value) string {
			return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().Format(time.DateOnly)
		}
	case *types.DecimalType:
		return func(v parquet.Value) string { return decimal(v, int(kind.Scale)) }
	}
	return parquet.Value.String
}

// decimal writes an unscaled number with its point.
func decimal(v parquet.Value, scale int) string {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	default: // big-endian two's complement
		b := v.ByteArray()
		if n.SetBytes(b); len(b) > 0 && b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	digits := n.Abs(n).String()
	digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
	return strings.TrimSuffix(sign+digits[:len(digits)-scale]+"."+digits[len(digits)-scale:], ".")
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.999") }

func (p *parquetRowsReader) next(r *row) error {
	for len(p.ready) == 0 {
		if p.ended { // the rows were valid until now
			if err := p.rows.Close(); err != nil {
				return fmt.Errorf("row %d: %w", p.row+1, err)
			}
			p.rows, p.ended = nil, false
		}
		if p.rows == nil {
			if len(p.groups) == 0 {
				return io.EOF
			}
			p.rows, p.groups = p.groups[0].Rows(), p.groups[1:]
		}
		n, err := p.rows.ReadRows(p.buffer)
		p.ready, p.ended = p.buffer[:n], errors.Is(err, io.EOF)
		if err != nil && !p.ended {
			return fmt.Errorf("row %d: %w", p.row+1, err)
		}
	}
	clear(p.values)
	for _, v := range p.ready[0] {
		if c := v.Column(); c < len(p.values) && !v.IsNull() && p.values[c] == "" {
			p.values[c] = p.texts[c](v)
		}
	}
	p.ready = p.ready[1:]
	p.row++
	r.values, r.line = p.values, p.row
	return nil
}
