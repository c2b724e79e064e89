package modelfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
)

// File is a file of a version, for a reader who has no repository.
type File struct {
	Key    string // in the store of model versions
	Bytes  int64
	SHA256 string // lower-case hex
}

// Products are the files of a version that speak of products alone.
type Products struct {
	Items File
	Near  *File // the products' neighbours; nil: the version has none
}

// ManifestKey is where the manifest of a version is.
func ManifestKey(version string) string { return keyOf(version, commit.ManifestName) }

func keyOf(version, file string) string {
	return path.Join(envconfig.ModelPrefix, "run="+version, file)
}

// ProductFiles finds them in the manifest of a version. Errors: ErrFormat, commit.ErrCorrupt.
func ProductFiles(data []byte, version string) (p Products, err error) {
	m, err := commit.DecodeManifest(data, version)
	if err == nil {
		err = checkKind(m)
	}
	if err != nil {
		return p, fmt.Errorf("find the products of model version %s: %w", version, err)
	}
	for _, f := range m.Files {
		file := File{keyOf(version, f.Path), f.Bytes, f.SHA256}
		switch f.Path {
		case itemsFile:
			p.Items = file
		case nearItemsFile:
			p.Near = &file
		}
	}
	if p.Items.Key == "" {
		return p, fmt.Errorf("find the products of model version %s: %w: there is no file %s", version,
			commit.ErrCorrupt, itemsFile)
	}
	return p, nil
}

// Rows reads a file of a version that is in memory. It is not safe for concurrent use.
type Rows[T any] struct{ next func(n int) ([]T, error) }

// ItemRows reads Products.Items.
func ItemRows(file []byte) (*Rows[modelversion.Item], error) {
	return newRows(file, func(r itemRow) (modelversion.Item, error) { return fromItemRow(r), nil })
}

// NearRows reads Products.Near: the neighbours of the product in the same row of Products.Items.
func NearRows(file []byte) (*Rows[[]modelversion.Neighbour], error) { return newRows(file, listOf) }

// Next reads the next rows, at most n. None, without an error, is the end.
func (r *Rows[T]) Next(n int) ([]T, error) { return r.next(n) }

func newRows[Row, T any](file []byte, convert func(Row) (T, error)) (*Rows[T], error) {
	opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("open rows: %w", err)
	}
	reader := parquet.NewGenericReader[Row](opened)
	return &Rows[T]{func(n int) ([]T, error) {
		rows := make([]Row, n)
		n, err := reader.Read(rows)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		all := make([]T, n)
		for i, row := range rows[:n] {
			if all[i], err = convert(row); err != nil {
				return nil, err
			}
		}
		return all, nil
	}}, nil
}
