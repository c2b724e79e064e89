package trainingset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
)

const (
	// groupRows is the rows of a row group. It bounds the writer's memory (20 bytes a row), and half a
	// million rows are enough for dictionaries to pay.
	groupRows = 512 * 1024
	// partBytes is the size from which a new file is begun: large enough that the transfer costs
	// far more than the request to S3, small enough for one Spark task per file. Files are cut
	// between row groups.
	partBytes = 128 << 20
	// createdBy is fixed, because the library's own text changes with the build, and equal rows
	// must give equal bytes.
	createdBy = "kindred version 1"
)

// parts is the files of one data set: part-00000.parquet and so on, one open at a time.
type parts struct {
	dir, dataSet string
	file         *os.File
	files        []commit.File // the last one is open while file is not nil
}

func (p *parts) open() error {
	part := commit.File{Path: path.Join(p.dataSet, fmt.Sprintf("part-%05d.parquet", len(p.files))), DataSet: p.dataSet}
	name := filepath.Join(p.dir, filepath.FromSlash(part.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("create %s: %w", part.Path, err)
	}
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("create %s: %w", part.Path, err)
	}
	p.files, p.file = append(p.files, part), file
	return nil
}

// wrote counts rows of the open file.
func (p *parts) wrote(rows int) { p.files[len(p.files)-1].Rows += int64(rows) }

// finish closes the open file, which its writer completed with err.
func (p *parts) finish(err error) error {
	err = errors.Join(err, p.abandon())
	if err != nil {
		return p.wrap("finish", err)
	}
	return nil
}

// abandon closes the open file without completing it.
func (p *parts) abandon() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}

func (p *parts) wrap(verb string, err error) error {
	return fmt.Errorf("%s %s: %w", verb, p.files[len(p.files)-1].Path, err)
}

// writeWhole writes a small data set as one file. One without rows has a file too, with its columns.
func writeWhole[Row, Source any](dir, dataSet string, all []Source,
	convert func(Source) Row) (_ []commit.File, err error) {
	p := parts{dir: dir, dataSet: dataSet}
	if err := p.open(); err != nil {
		return nil, err
	}
	w := parquet.NewGenericWriter[Row](io.Writer(p.file),
		&parquet.WriterConfig{CreatedBy: createdBy, Compression: &parquet.Snappy,
			DataPageVersion: 1, // every reader knows it
			Schema:          parquet.NewSchema(dataSet, parquet.SchemaOf(*new(Row)))})
	batch := make([]Row, 0, batchRows)
	for i, source := range all {
		if batch = append(batch, convert(source)); len(batch) == batchRows || i == len(all)-1 {
			if _, err := w.Write(batch); err != nil {
				return nil, errors.Join(p.wrap("write", err), p.abandon())
			}
			batch = batch[:0]
		}
	}
	p.wrote(len(all))
	err = p.finish(w.Close())
	return p.files, err
}
