package trainingset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/commit"
)

const (
	// groupRows is the rows of a row group. It bounds the writer's memory (about 60 bytes a row before compression),
	// and half a million rows are enough for dictionaries to pay.
	groupRows = 512 * 1024
	// partBytes is the size from which a new file is begun: large enough that S3 requests cost nothing beside their
	// bytes, small enough for one Spark task each. Files are cut between row groups.
	partBytes = 128 << 20
	// createdBy is fixed, because the library's own text changes with the build, and equal rows shall be equal bytes.
	createdBy = "kindred version 1"
)

// partWriter writes the rows of one data set into part-00000.parquet and so on.
type partWriter[T any] struct {
	dir, dataSet string
	limitBytes   int64
	limitRows    int // of a row group
	file         *os.File
	out          *countingWriter
	rows         *parquet.GenericWriter[T]
	inGroup      int
	parts        []commit.File // the last one is open while file is not nil
}

func (p *partWriter[T]) write(rows []T) error {
	for len(rows) > 0 {
		if p.file == nil {
			if err := p.open(); err != nil {
				return err
			}
		}
		n := min(len(rows), p.limitRows-p.inGroup)
		if _, err := p.rows.Write(rows[:n]); err != nil {
			return p.wrap("write", err)
		}
		rows = rows[n:]
		p.parts[len(p.parts)-1].Rows += int64(n)
		if p.inGroup += n; p.inGroup < p.limitRows {
			continue
		}
		p.inGroup = 0
		if err := p.rows.Flush(); err != nil {
			return p.wrap("write", err)
		}
		if p.out.bytes >= p.limitBytes {
			if err := p.finish(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *partWriter[T]) open() error {
	part := commit.File{Path: path.Join(p.dataSet, fmt.Sprintf("part-%05d.parquet", len(p.parts))), DataSet: p.dataSet}
	name := filepath.Join(p.dir, filepath.FromSlash(part.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("create %s: %w", part.Path, err)
	}
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("create %s: %w", part.Path, err)
	}
	p.parts = append(p.parts, part)
	p.file, p.out, p.inGroup = file, &countingWriter{Writer: file}, 0
	p.rows = parquet.NewGenericWriter[T](p.out, &parquet.WriterConfig{CreatedBy: createdBy, Compression: &parquet.Snappy,
		DataPageVersion: 1, // every reader knows it
		Schema:          parquet.NewSchema(p.dataSet, parquet.SchemaOf(*new(T)))},
		parquet.WriteBufferSize(0)) // pages are large, and out shall know what is written
	return nil
}

func (p *partWriter[T]) finish() error {
	err := p.rows.Close()
	err = errors.Join(err, p.file.Close())
	p.file = nil
	if err != nil {
		return p.wrap("finish", err)
	}
	return nil
}

// close finishes the last file. A data set without rows has one file too, with its columns.
func (p *partWriter[T]) close() ([]commit.File, error) {
	if len(p.parts) == 0 {
		if err := p.open(); err != nil {
			return nil, err
		}
	}
	if p.file != nil {
		if err := p.finish(); err != nil {
			return nil, err
		}
	}
	return p.parts, nil
}

// abandon closes the open file without completing it.
func (p *partWriter[T]) abandon() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}

func (p *partWriter[T]) wrap(verb string, err error) error {
	return fmt.Errorf("%s %s: %w", verb, p.parts[len(p.parts)-1].Path, err)
}

type countingWriter struct {
	io.Writer
	bytes int64
}

func (w *countingWriter) Write(data []byte) (int, error) {
	n, err := w.Writer.Write(data)
	w.bytes += int64(n)
	return n, err
}
