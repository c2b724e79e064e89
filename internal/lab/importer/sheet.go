package importer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/text"
)

// form is how a file holds its rows.
type form int

const (
	delimited form = iota // CSV, TSV and the like, with a header
	jsonLines             // one JSON object a line
	parquetFile
	workbook // Excel
)

// sheet is one file of rows with named columns, whatever its form.
type sheet struct {
	path    string
	name    string // of the file, for messages
	form    form
	columns []string       // as the file spells them
	index   map[string]int // by canonical name; the first of two
	twice   map[string]bool
	comma   rune // of a delimited file
	plain   bool // its quotes are characters like others
}

// canonical is a column's name without what programs spell in different ways: "Customer ID",
// "customer_id" and "CustomerID" are one.
func canonical(column string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(" _-\t\ufeff", c) {
			return -1
		}
		return c
	}, strings.ToLower(column))
}

func (s *sheet) setColumns(names []string) {
	s.columns, s.index, s.twice = names, map[string]int{}, map[string]bool{}
	for i, name := range names {
		key := canonical(name)
		if _, there := s.index[key]; there {
			s.twice[key] = true
			continue
		}
		s.index[key] = i
	}
}

// find gives the place of the first of several names, separated by "|", that the sheet has; -1: none.
func (s *sheet) find(names string) int {
	for name := range strings.SplitSeq(names, "|") {
		if i, ok := s.index[canonical(name)]; ok {
			return i
		}
	}
	return -1
}

// row is one row of a sheet. It is valid until the next one, and so are its texts.
type row struct {
	sheet  *sheet
	values []string
	line   int // of the file; of a Parquet file the row, from 1
	err    error
}

// at is a column's text without the space around it; "" where there is no such column. What stands
// for NULL is "" too.
func (r *row) at(column int) string {
	if column < 0 || column >= len(r.values) {
		return ""
	}
	v := strings.TrimSpace(r.values[column])
	if err := text.Check(v, text.NoLimit); err != nil {
		hint := ""
		if errors.Is(err, text.ErrInvalidUTF8) {
			hint = "; the file may be Latin-1 or Windows-1252: save it as UTF-8"
		}
		r.fail(column, "%v%s", err, hint)
		return ""
	}
	if v == `\N` || strings.EqualFold(v, "null") || strings.EqualFold(v, "nan") {
		return ""
	}
	return v
}

// fail notes what is wrong with a value. The first fault of a row counts.
func (r *row) fail(column int, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("column %s %s", r.sheet.columns[column], fmt.Sprintf(format, args...))
	}
}

// place names the row in a message.
func (s *sheet) place(line int) string {
	if s.form == parquetFile {
		return fmt.Sprintf("%s, row %d", s.name, line)
	}
	return fmt.Sprintf("%s, line %d", s.name, line)
}

// rowReader gives the rows of a sheet, and io.EOF at the end. Its errors name the line themselves.
type rowReader interface {
	next(*row) error
}

// each calls fn with every row. Errors name file, line and column. converted is how many lines were
// not UTF-8 and were read as Windows-1252, which is done only where western says so.
func (s *sheet) each(western bool, fn func(*row) error) (converted int, err error) {
	in, err := openFile(s.path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }()
	var rows rowReader
	decoder := &westernReader{}
	switch s.form {
	case parquetFile:
		rows, err = newParquetRows(s, in.file)
	case workbook:
		var w *workbookRows
		if w, err = newWorkbookRows(s.path); err == nil {
			defer func() { _ = w.Close() }()
		}
		rows = w
	case jsonLines:
		rows = newJSONRows(s, in)
	default:
		var from io.Reader = in
		if western {
			decoder.from, from = in.Reader, decoder
		}
		rows, err = newDelimitedRows(s, from)
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", s.name, err)
	}
	r := row{sheet: s}
	for {
		err := rows.next(&r)
		if errors.Is(err, io.EOF) {
			return decoder.converted, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", s.name, err)
		}
		r.err = nil
		if err = fn(&r); r.err != nil {
			err = r.err
		}
		if errors.Is(err, errStopped) {
			return 0, err
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", s.place(r.line), err)
		}
	}
}

// errStopped ends a reading whose reader wants no more rows.
var errStopped = errors.New("stopped")

// files lists what there is to read at a path: the file, or the folder's files.
func files(path string) (paths []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read", ErrUnknownFolder, path)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read", ErrUnknownFolder, path)
	}
	for _, e := range entries {
		if name := e.Name(); e.Type().IsRegular() && !strings.HasPrefix(name, ".") {
			paths = append(paths, filepath.Join(path, name))
		}
	}
	return paths, nil
}
