package importer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// table reads a CSV file with a header by the columns' names, whatever their order and case.
type table struct {
	file    string
	csv     *csv.Reader
	columns map[string]int // lower-case name → position
	row     []string
}

// eachRow opens a CSV file, checks that the required columns are there, and calls fn with every
// row. Errors name file and line.
func eachRow(folder, file string, required []string, fn func(*table) error) error {
	f, err := os.Open(filepath.Join(folder, file))
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReaderSize(f, 1<<16)
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" { // Excel's byte order mark
		_, _ = in.Discard(3)
	}
	t := &table{file: file, csv: csv.NewReader(in), columns: map[string]int{}}
	t.csv.ReuseRecord = true
	header, err := t.csv.Read()
	if err != nil {
		return fmt.Errorf("read header of %s: %w", file, err)
	}
	for i, name := range header {
		t.columns[strings.ToLower(strings.TrimSpace(name))] = i
	}
	var missing []string
	for _, name := range required {
		if _, ok := t.columns[strings.ToLower(name)]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s lacks column %s", file, strings.Join(missing, ", "))
	}
	for {
		t.row, err = t.csv.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err) // csv's error names the line
		}
		if err := fn(t); err != nil {
			line, _ := t.csv.FieldPos(0)
			return fmt.Errorf("read %s, line %d: %w", file, line, err)
		}
	}
}

// text returns a column's value, "" when there is no such column.
func (t *table) text(column string) string {
	if i, ok := t.columns[strings.ToLower(column)]; ok && i < len(t.row) {
		return strings.TrimSpace(t.row[i])
	}
	return ""
}

// optional returns nil for what stands for NULL: nothing, NULL, or \N.
func (t *table) optional(column string) *string {
	v := t.text(column)
	if v == "" || v == `\N` || strings.EqualFold(v, "null") {
		return nil
	}
	v = strings.Clone(v) // the row's memory is used again
	return &v
}
