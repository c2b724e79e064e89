// Package rowfilter finds rows of Parquet files by customer and session, and copies files without some rows. It knows
// no data set: the caller names the columns. What is copied keeps its columns, its order and its values.
package rowfilter

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

const (
	// batchRows is how many rows are in memory while a file is copied.
	batchRows = 1024
	// groupRows is the largest row group of a copy, as package trainingset writes them.
	groupRows = 512 * 1024
	// createdBy is fixed: equal rows give equal bytes.
	createdBy = "kindred version 1"
)

// ErrColumn means that a file does not have a column that the caller names.
var ErrColumn = errors.New("no such column")

// Columns names the columns that say whose a row is; empty: there is none.
type Columns struct{ Customer, Session string }

// Find returns the numbers, from 0 and ascending, of the rows for which match is true, and how many rows there are.
// match gets "" for NULL. It is called once for consecutive rows with the same values. Only the named columns are
// read.
func Find(in io.ReaderAt, size int64, columns Columns,
	match func(customer, session string) bool) (found []int64, rows int64, err error) {
	file, err := open(in, size)
	if err != nil {
		return nil, 0, err
	}
	for _, group := range file.RowGroups() {
		customers, err := columnOf(file, group, columns.Customer)
		if err != nil {
			return nil, 0, err
		}
		sessions, err := columnOf(file, group, columns.Session)
		if err = errors.Join(err, each(customers, sessions, group.NumRows(), match, func(i int64) {
			found = append(found, rows+i)
		})); err != nil {
			return nil, 0, errors.Join(err, customers.close(), sessions.close())
		}
		if err := errors.Join(customers.close(), sessions.close()); err != nil {
			return nil, 0, err
		}
		rows += group.NumRows()
	}
	return found, rows, nil
}

// each calls hit for the rows of a group that match.
func each(customers, sessions *column, rows int64, match func(customer, session string) bool,
	hit func(i int64)) error {
	var customer, session string
	matched := false
	for i := range rows {
		c, changed, err := customers.next(customer)
		if err != nil {
			return err
		}
		s, changedToo, err := sessions.next(session)
		if err != nil {
			return err
		}
		if changed || changedToo || i == 0 {
			customer, session = c, s
			matched = match(customer, session)
		}
		if matched {
			hit(i)
		}
	}
	return nil
}

func open(in io.ReaderAt, size int64) (*parquet.File, error) {
	file, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("open Parquet file: %w", err)
	}
	return file, nil
}

// column reads the values of a flat column one after the other; nil: all of them are "".
type column struct {
	pages  parquet.Pages
	values parquet.ValueReader
	buffer []parquet.Value
	ready  []parquet.Value // of buffer
}

func columnOf(file *parquet.File, group parquet.RowGroup, name string) (*column, error) {
	if name == "" {
		return nil, nil
	}
	leaf, ok := file.Schema().Lookup(name)
	if !ok || leaf.MaxRepetitionLevel != 0 {
		return nil, fmt.Errorf("%w: %s", ErrColumn, name)
	}
	return &column{pages: group.ColumnChunks()[leaf.ColumnIndex].Pages(), buffer: make([]parquet.Value, batchRows)}, nil
}

// next is the next value, and whether it differs from the last one.
func (c *column) next(last string) (value string, changed bool, err error) {
	if c == nil {
		return "", false, nil
	}
	for len(c.ready) == 0 {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return "", false, fmt.Errorf("read page: %w", err)
			}
			c.values = page.Values()
		}
		n, err := c.values.ReadValues(c.buffer)
		c.ready = c.buffer[:n]
		if errors.Is(err, io.EOF) {
			c.values = nil
		} else if err != nil {
			return "", false, fmt.Errorf("read values: %w", err)
		}
	}
	v := c.ready[0]
	c.ready = c.ready[1:]
	switch {
	case v.IsNull():
		return "", last != "", nil
	case v.Kind() == parquet.Int32, v.Kind() == parquet.Int64:
		value = strconv.FormatInt(v.Int64(), 10)
		return value, value != last, nil
	case string(v.ByteArray()) == last:
		return last, false, nil
	}
	return string(v.ByteArray()), true, nil
}

func (c *column) close() error {
	if c == nil {
		return nil
	}
	return c.pages.Close()
}

// Copy writes the file without the rows of these numbers, which are ascending, and returns how many it wrote.
func Copy(in io.ReaderAt, size int64, out io.Writer, without []int64) (kept int64, err error) {
	file, err := open(in, size)
	if err != nil {
		return 0, err
	}
	w := parquet.NewWriter(out, &parquet.WriterConfig{CreatedBy: createdBy, Compression: &parquet.Snappy,
		DataPageVersion: 1, MaxRowsPerRowGroup: groupRows, Schema: file.Schema()})
	err = readRows(file, func(first int64, rows []parquet.Row) error {
		chosen := make([]parquet.Row, 0, len(rows))
		for i, row := range rows {
			if _, gone := slices.BinarySearch(without, first+int64(i)); !gone {
				chosen = append(chosen, row)
			}
		}
		kept += int64(len(chosen))
		_, err := w.WriteRows(chosen)
		return err
	})
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, fmt.Errorf("copy rows: %w", err)
	}
	return kept, nil
}

// Show calls show with the rows of these numbers, which are ascending: each by the names of its columns. A column that
// is a list is a slice.
func Show(in io.ReaderAt, size int64, numbers []int64, show func(row map[string]any)) error {
	file, err := open(in, size)
	if err != nil {
		return err
	}
	names := file.Schema().Columns()
	return readRows(file, func(first int64, rows []parquet.Row) error {
		for i, row := range rows {
			if _, wanted := slices.BinarySearch(numbers, first+int64(i)); wanted {
				show(shown(row, names))
			}
		}
		return nil
	})
}

func shown(row parquet.Row, names [][]string) map[string]any {
	m := map[string]any{}
	row.Range(func(i int, values []parquet.Value) bool {
		name := strings.TrimSuffix(strings.Join(names[i], "."), ".list.element")
		if name == strings.Join(names[i], ".") && len(values) == 1 {
			m[name] = plain(values[0])
			return true
		}
		list := []any{}
		for _, v := range values {
			if !v.IsNull() {
				list = append(list, plain(v))
			}
		}
		m[name] = list
		return true
	})
	return m
}

func plain(v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Kind() == parquet.Boolean:
		return v.Boolean()
	case v.Kind() == parquet.Int32, v.Kind() == parquet.Int64:
		return v.Int64()
	case v.Kind() == parquet.Float:
		return v.Float()
	case v.Kind() == parquet.Double:
		return v.Double()
	}
	return string(v.ByteArray())
}

// readRows reads all rows in batches; first is the number of a batch's first row.
func readRows(file *parquet.File, do func(first int64, rows []parquet.Row) error) error {
	r := parquet.NewReader(file)
	buffer := make([]parquet.Row, batchRows)
	for first := int64(0); ; {
		n, err := r.ReadRows(buffer)
		if err := do(first, buffer[:n]); err != nil {
			return errors.Join(err, r.Close())
		}
		first += int64(n)
		if errors.Is(err, io.EOF) {
			return r.Close()
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
	}
}

// First is the first of some names that a flat column of the file has; "": none.
func First(in io.ReaderAt, size int64, names ...string) (string, error) {
	file, err := open(in, size)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if leaf, ok := file.Schema().Lookup(name); ok && leaf.MaxRepetitionLevel == 0 {
			return name, nil
		}
	}
	return "", nil
}
