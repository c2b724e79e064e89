package importer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"
)

// workbookRows reads the rows of an Excel workbook: of its first sheet, and of the others that have
// the same header.
type workbookRows struct {
	file   *excelize.File
	header []string
	names  []string // of sheets that were not read yet
	rows   *excelize.Rows
	line   int
}

// newWorkbookRows opens a workbook. Large parts of it are unpacked into temporary files, not into
// memory.
func newWorkbookRows(path string) (*workbookRows, error) {
	file, err := excelize.OpenFile(path, excelize.Options{RawCellValue: true})
	if err != nil {
		return nil, fmt.Errorf("the file is no Excel workbook that can be read: %w", err)
	}
	w := &workbookRows{file: file, names: file.GetSheetList()}
	for w.header == nil {
		found, err := w.open()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if !found {
			return nil, errors.Join(io.EOF, file.Close())
		}
	}
	return w, nil
}

// open begins the next sheet that has the header, or of all sheets the first that has one.
func (w *workbookRows) open() (found bool, err error) {
	for len(w.names) > 0 {
		name := w.names[0]
		w.names, w.line = w.names[1:], 1
		if w.rows, err = w.file.Rows(name); err != nil {
			return false, fmt.Errorf("sheet %s: %w", name, err)
		}
		if !w.rows.Next() {
			continue
		}
		header, err := w.rows.Columns()
		if err != nil {
			return false, fmt.Errorf("sheet %s: %w", name, err)
		}
		if w.header == nil && len(header) > 0 {
			w.header = header
		}
		if len(header) > 0 && slices.Equal(header, w.header) {
			return true, nil
		}
		if err := w.rows.Close(); err != nil {
			return false, fmt.Errorf("sheet %s: %w", name, err)
		}
	}
	return false, nil
}

func (w *workbookRows) next(r *row) error {
	for {
		for w.rows.Next() {
			w.line++
			values, err := w.rows.Columns()
			if err != nil {
				return fmt.Errorf("line %d: %w", w.line, err)
			}
			if len(values) > 0 { // empty cells at the end are not there
				r.values, r.line = values, w.line
				return nil
			}
		}
		if err := errors.Join(w.rows.Error(), w.rows.Close()); err != nil {
			return fmt.Errorf("line %d: %w", w.line+1, err)
		}
		switch found, err := w.open(); {
		case err != nil:
			return err
		case !found:
			return io.EOF
		}
	}
}

func (w *workbookRows) Close() error { return w.file.Close() }

// serial is a moment as Excel keeps it: days since 1900, with a part of a day.
func serial(v string) (ms int64, ok bool) {
	days, err := strconv.ParseFloat(v, 64)
	if err != nil || !(days >= 1) {
		return 0, false
	}
	at, err := excelize.ExcelDateToTime(days, false)
	if err != nil {
		return 0, false
	}
	return at.Round(time.Second).UnixMilli(), at.Year() < 10_000
}
