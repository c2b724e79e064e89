package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// inFile is an open file whose Reader begins after a byte order mark, unpacked if it is gzipped.
type inFile struct {
	*bufio.Reader
	file *os.File
}

func (f inFile) Close() error { return f.file.Close() }

var (
	gzipMagic    = []byte{0x1f, 0x8b}
	parquetMagic = []byte("PAR1")
	utf8Mark     = []byte("\ufeff")
	zipMagic     = []byte("PK\x03\x04")
)

// openFile opens a file, and unpacks it if its first bytes say that it is gzipped.
func openFile(path string) (inFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return inFile{}, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	in := bufio.NewReaderSize(f, 1<<16)
	if head, _ := in.Peek(len(gzipMagic)); bytes.Equal(head, gzipMagic) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return inFile{}, errors.Join(fmt.Errorf("read %s: %w", filepath.Base(path), err), f.Close())
		}
		in = bufio.NewReaderSize(z, 1<<16)
	}
	if head, _ := in.Peek(len(utf8Mark)); bytes.Equal(head, utf8Mark) { // Excel's
		_, _ = in.Discard(len(utf8Mark))
	}
	return inFile{in, f}, nil
}

// skipped are names that no one means as data.
var skipped = []string{".md", ".pdf", ".png", ".jpg", ".html", ".sql", ".py", ".ipynb"}

// probe looks at the beginning of a file. why says, for a person, what keeps it from being read.
func probe(path string) (s *sheet, why string) {
	s = &sheet{path: path, name: filepath.Base(path)}
	if slices.Contains(skipped, strings.ToLower(filepath.Ext(path))) {
		return nil, "is not a data file"
	}
	in, err := openFile(path)
	if err != nil {
		return nil, "cannot be opened"
	}
	defer func() { _ = in.Close() }()
	if why := s.look(in); why != "" {
		return nil, why
	}
	return s, ""
}

// look finds out a file's form and columns, or why it cannot be read.
func (s *sheet) look(in inFile) (why string) {
	head, err := in.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Sprintf("cannot be read (%v)", err)
	}
	begin := bytes.TrimLeft(head, " \t\r\n")
	switch problem := foreign(head); {
	case len(begin) == 0:
		return "is empty"
	case bytes.HasPrefix(head, parquetMagic):
		s.form = parquetFile
		var names []string
		if names, err = parquetColumns(in.file); err == nil {
			s.setColumns(names)
		}
	case bytes.HasPrefix(head, zipMagic) && strings.EqualFold(filepath.Ext(s.path), ".xlsx"):
		s.form = workbook
		var w *workbookRows
		if w, err = newWorkbookRows(s.path); err == nil {
			s.setColumns(w.header)
			err = w.Close()
		}
	case problem != "":
		return "is " + problem + ": unpack it, or save it as CSV in UTF-8"
	case bytes.IndexByte(head, 0) >= 0:
		return "is not text"
	case begin[0] == '{':
		s.form = jsonLines
		var names []string
		if names, err = jsonColumns(in); err == nil {
			s.setColumns(names)
		}
	case begin[0] == '[':
		return "is a JSON list: write one object per line (jq -c '.[]')"
	default:
		err = s.header(in.Reader)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Sprintf("cannot be read (%v)", err)
	}
	return ""
}

// header reads the first line of a delimited file, and how its columns are divided.
func (s *sheet) header(in *bufio.Reader) error {
	s.comma = separator(in)
	if s.comma == '\t' {
		head, err := in.Peek(in.Size())
		s.plain = !quoted(head, errors.Is(err, io.EOF))
	}
	lines := &westernReader{from: in} // a header of another encoding must not hide what the file is
	rows, err := newDelimitedRows(&sheet{comma: s.comma, plain: s.plain}, lines)
	if err == nil {
		s.setColumns(slices.Clone(rows.header))
	}
	return err
}

// quoted reports whether the beginning of a tab-separated file quotes its fields as CSV does. Many
// do not, and then a quote is a character like any other.
func quoted(head []byte, whole bool) bool {
	var in io.Reader = bytes.NewReader(head)
	if !whole {
		in = io.MultiReader(in, cutOff{})
	}
	r := csv.NewReader(in)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = '\t', -1, true
	for {
		_, err := r.Read()
		if errors.Is(err, io.EOF) || errors.Is(err, errStopped) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// cutOff ends with errStopped, which is no end of a file.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, errStopped }

// mostLine bounds one record of a text file. A longer one means a quote that nothing closes.
const mostLine = 16 << 20

// delimitedRows reads CSV, TSV and the like.
type delimitedRows struct {
	csv    *csv.Reader
	limit  *limited
	header []string
	lines  *bufio.Scanner // of a file whose quotes are plain
	comma  string
	line   int
}

// limited fails when one record takes more than mostLine.
type limited struct {
	from io.Reader
	left int
}

var errLongRecord = fmt.Errorf("a field in quotes does not end within %d MB: a quote is missing", mostLine>>20)

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLongRecord
	}
	n, err := l.from.Read(p)
	l.left -= n
	return n, err
}

func newDelimitedRows(s *sheet, in io.Reader) (*delimitedRows, error) {
	d := &delimitedRows{limit: &limited{from: in, left: mostLine}, comma: string(s.comma)}
	if s.plain {
		d.lines = bufio.NewScanner(in)
		d.lines.Buffer(nil, mostLine)
	} else {
		d.csv = csv.NewReader(d.limit)
		d.csv.Comma, d.csv.ReuseRecord, d.csv.FieldsPerRecord = s.comma, true, -1
	}
	r := row{}
	if err := d.next(&r); err != nil {
		return nil, err
	}
	d.header = slices.Clone(r.values)
	return d, nil
}

func (d *delimitedRows) next(r *row) (err error) {
	if d.lines != nil {
		err = d.nextPlain(r)
	} else {
		err = d.nextQuoted(r)
	}
	if err == nil && d.header != nil && len(r.values) != len(d.header) {
		return fmt.Errorf("line %d has %d fields, the header has %d; a field with the separator %q in it must be in quotes",
			r.line, len(r.values), len(d.header), d.comma)
	}
	return err
}

func (d *delimitedRows) nextQuoted(r *row) error {
	d.limit.left = mostLine
	values, err := d.csv.Read()
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
		return fmt.Errorf("line %d, column %d: %w; put the field in quotes, and double each quote in it", parse.Line,
			parse.Column, parse.Err)
	}
	if err != nil {
		return err
	}
	r.values = values
	r.line, _ = d.csv.FieldPos(0)
	return nil
}

func (d *delimitedRows) nextPlain(r *row) error {
	for d.lines.Scan() {
		d.line++
		if line := strings.TrimSuffix(d.lines.Text(), "\r"); line != "" {
			r.values, r.line = strings.Split(line, d.comma), d.line
			return nil
		}
	}
	if err := d.lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", d.line+1, err)
	}
	return io.EOF
}

// westernReader passes on UTF-8, and turns each line that is not UTF-8 from Windows-1252 into it.
type westernReader struct {
	from      *bufio.Reader
	rest      []byte
	err       error
	converted int // lines
}

func (w *westernReader) Read(p []byte) (int, error) {
	for len(w.rest) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		var line []byte
		line, w.err = w.line()
		if utf8.Valid(line) {
			w.rest = line
			continue
		}
		w.converted++
		w.rest = fromWestern(line)
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// line reads up to the next line's end.
func (w *westernReader) line() (line []byte, err error) {
	for {
		part, err := w.from.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) > mostLine:
			return nil, errLongRecord
		}
	}
}

// fromWestern leaves a byte that Windows-1252 has no character for as it is, so that it is refused.
func fromWestern(line []byte) []byte {
	out := make([]byte, 0, len(line)+8)
	for _, b := range line {
		if c := charmap.Windows1252.DecodeByte(b); c != utf8.RuneError {
			out = utf8.AppendRune(out, c)
		} else {
			out = append(out, b)
		}
	}
	return out
}
