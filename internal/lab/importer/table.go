package importer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"kindred/internal/platform/text"
)

// table reads a CSV file with a header by the columns' names, whatever their order and case. Its
// fields are separated by commas, semicolons, tabs or bars: by what the header has.
type table struct {
	file    string
	csv     *csv.Reader
	columns map[string]int // lower-case name → position
	row     []string
}

// eachRow opens a CSV file, checks that the required columns are there, and calls fn with every
// row. Errors name file and line.
func eachRow(folder, file string, required []string, fn func(*table) error) error {
	in, closeFile, err := openText(folder, file)
	if err != nil {
		return err
	}
	defer closeFile()
	t := &table{file: file, csv: csv.NewReader(in), columns: map[string]int{}}
	t.csv.ReuseRecord = true
	t.csv.Comma = separator(in)
	if err := t.readHeader(required); err != nil {
		return err
	}
	for {
		t.row, err = t.csv.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err) // csv's error names the line
		}
		err := t.checkText()
		if err == nil {
			err = fn(t)
		}
		if err != nil {
			line, _ := t.csv.FieldPos(0)
			return fmt.Errorf("read %s, line %d: %w", file, line, err)
		}
	}
}

func (t *table) readHeader(required []string) error {
	header, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w: the file is empty", t.file, ErrNothing)
	}
	if err != nil {
		return fmt.Errorf("read header of %s: %w", t.file, err)
	}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := t.columns[name]; twice && name != "" {
			return fmt.Errorf("read %s, line 1: column %s is there twice", t.file, strings.TrimSpace(header[i]))
		}
		t.columns[name] = i
	}
	var missing []string
	for _, name := range required {
		if _, ok := t.columns[strings.ToLower(name)]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s lacks column %s; its header, divided at %q, is %q", t.file, strings.Join(missing, ", "),
			t.csv.Comma, header)
	}
	return nil
}

// checkText refuses a row that is not text. Files of other encodings are mostly Windows-1252.
func (t *table) checkText() error {
	for i, field := range t.row {
		err := text.Check(field, text.NoLimit)
		if errors.Is(err, text.ErrNUL) {
			return fmt.Errorf("field %d %w", i+1, err)
		}
		if err != nil {
			return fmt.Errorf("field %d %w; the file may be Latin-1 or Windows-1252: save it as UTF-8", i+1, err)
		}
	}
	return nil
}

// separator is what divides the header's columns: the one of the known separators that it has most.
func separator(in *bufio.Reader) rune {
	head, _ := in.Peek(headBytes)
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', strings.Count(line, ",")
	for _, other := range ";\t|" {
		if n := strings.Count(line, string(other)); n > most {
			best, most = other, n
		}
	}
	return best
}

// text returns a column's value, "" when there is no such column.
func (t *table) text(column string) string {
	if i, ok := t.columns[strings.ToLower(column)]; ok && i < len(t.row) {
		return strings.TrimSpace(t.row[i])
	}
	return ""
}

// short is text of at most most characters, which the shop's column holds.
func (t *table) short(column string, most int) (string, error) {
	v := strings.Clone(t.text(column)) // the row's memory is used again
	if n := len([]rune(v)); n > most {
		return "", fmt.Errorf("%s has %d characters, at most %d fit", column, n, most)
	}
	return v, nil
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
