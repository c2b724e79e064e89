package vectorfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// byteOrderMark may stand before the first column's name.
const byteOrderMark = "\ufeff"

// columns are the indexes of a CSV file's columns. The vector is in one column, as a list in
// brackets, or in one column for each component.
type columns struct {
	id, vector int
	components []int // empty: the vector is in one column
	header     int   // number of columns; 0: there is no header
	width      int   // number of columns of a record; 0: two, or a list that its commas cut
}

// readCSV reads `id,"[0.1, 0.2]"`, with or without a header, or a column for each component.
func (c *collector) readCSV(name string) (err error) {
	file, err := os.Open(c.local(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := csv.NewReader(bufio.NewReaderSize(file, 1<<20))
	r.FieldsPerRecord, r.ReuseRecord, r.TrimLeadingSpace = -1, true, true
	var layout *columns
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var fault *csv.ParseError
		if errors.As(err, &fault) {
			return fmt.Errorf("%s, line %d: it is no CSV: %w: %w", name, fault.Line, fault.Err, ErrVectors)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		at := place{name, "line", line}
		if layout == nil {
			if layout, err = layoutOf(at, record); err != nil {
				return err
			}
			if layout.header > 0 {
				continue
			}
		}
		id, vector, err := layout.parse(at, record)
		if err != nil {
			return err
		}
		if err := c.add(at, id, vector); err != nil {
			return err
		}
	}
}

// layoutOf finds the columns in the first record.
func layoutOf(at place, first []string) (*columns, error) {
	first[0] = strings.TrimPrefix(first[0], byteOrderMark)
	if len(first) < 2 {
		return nil, fmt.Errorf("%v: there is one column, want id and embedding: %w", at, ErrVectors)
	}
	if strings.HasPrefix(strings.TrimSpace(first[1]), "[") { // no header: an id and its vector
		return &columns{id: 0, vector: 1}, nil
	}
	layout := &columns{id: -1, vector: -1, header: len(first)}
	numbers := 0
	for i, name := range first {
		if _, err := strconv.ParseFloat(strings.TrimSpace(name), 32); err == nil && i > 0 {
			numbers++
		}
		switch {
		case layout.vector < 0 && isVector(name):
			layout.vector = i
		case layout.id < 0 && isID(name):
			layout.id = i
		}
	}
	switch {
	case len(first) > 2 && numbers == len(first)-1 && !isID(first[0]): // no header: an id and its components
		layout = &columns{id: 0, vector: -1, width: len(first)}
		for i := 1; i < len(first); i++ {
			layout.components = append(layout.components, i)
		}
	case layout.vector >= 0 && layout.id < 0 && len(first) == 2:
		layout.id = 1 - layout.vector
	case layout.vector < 0 && layout.id >= 0 && len(first) > 2:
		for i := range first {
			if i != layout.id {
				layout.components = append(layout.components, i)
			}
		}
	case layout.vector < 0 || layout.id < 0:
		return nil, fmt.Errorf("%v: the header names no columns id and embedding: %w", at, ErrVectors)
	}
	if layout.header > 0 {
		layout.width = layout.header
	}
	return layout, nil
}

// parse takes the id and the vector from a record.
func (l *columns) parse(at place, record []string) (id string, vector []float32, err error) {
	list := l.vector == 1 && (l.header == 2 || l.header == 0) && len(record) > 2 // without quotes: every comma cuts it
	switch {
	case l.width > 0 && len(record) != l.width && !list:
		return "", nil, fmt.Errorf("%v: there are %d columns, want %d: %w", at, len(record), l.width, ErrVectors)
	case len(record) < 2:
		return "", nil, fmt.Errorf("%v: there is no vector: %w", at, ErrVectors)
	case l.width == 0 && len(record) != 2 && !list:
		return "", nil, fmt.Errorf("%v: there are %d columns, want id and embedding: %w", at, len(record), ErrVectors)
	}
	id = strings.Clone(record[l.id])
	var numbers []string
	switch {
	case len(l.components) > 0:
		for _, i := range l.components {
			numbers = append(numbers, strings.TrimSpace(record[i]))
		}
	case list:
		numbers, err = split(strings.Join(record[1:], ","))
	default:
		numbers, err = split(record[l.vector])
	}
	if err != nil {
		return "", nil, fmt.Errorf("%v: %w: %w", at, err, ErrVectors)
	}
	vector = make([]float32, len(numbers))
	for i, number := range numbers {
		x, err := strconv.ParseFloat(number, 32)
		if err != nil {
			return "", nil, fmt.Errorf("%v: component %d of the vector is not a number or too large: %w", at, i+1, ErrVectors)
		}
		vector[i] = float32(x)
	}
	return id, vector, nil
}

var (
	errList  = errors.New("the vector is not a list in brackets, such as [0.1, -0.2]")
	errShort = errors.New("the vector was shortened with ... when it was written; write all of its components")
)

// split cuts a list in brackets, or in braces, as PostgreSQL writes arrays. Its numbers stand between
// commas or, as NumPy prints them, between spaces.
func split(list string) ([]string, error) {
	list = strings.TrimSpace(list)
	if len(list) < 2 || list[:1]+list[len(list)-1:] != "[]" && list[:1]+list[len(list)-1:] != "{}" {
		return nil, errList
	}
	list = strings.TrimSpace(list[1 : len(list)-1])
	switch {
	case strings.Contains(list, "..."):
		return nil, errShort
	case list == "":
		return nil, nil
	case !strings.Contains(list, ","):
		return strings.Fields(list), nil
	}
	numbers := strings.Split(list, ",")
	for i := range numbers {
		numbers[i] = strings.TrimSpace(numbers[i])
	}
	return numbers, nil
}
