// Package fitfile hands the fitting of a model to another program, such as Spark: it writes what is
// to be fitted, and reads the vectors that come back. It owns the files' layout (docs/formats.md). It
// does not know what a part is for, or how it is fitted.
package fitfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/vectorfile"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/objectkey"
)

const (
	// Kind is that of the manifest.
	Kind = "fits"
	// format is the version of the layout.
	format = "1"
	// Questions is the data set of the questions.
	Questions = "questions"
	// detailsFile is the only file of the data set of that name. All other data sets are parts.
	detailsFile = "export.json"
	// Products is the folder of a part's vectors.
	Products = "products"
	// fileRows is the rows of a file: some 50 MB, a task of Spark.
	fileRows = 8 << 20
	// createdBy is fixed, because equal rows must give equal bytes.
	createdBy = "kindred version 1"
	// attemptRecord names the attempt that is imported.
	attemptRecord = "attempt"
	// success is what Spark writes into a folder when all of its files are there.
	success = "_SUCCESS"
)

// ErrFits says that an export, or what was fitted to it, cannot be used. The text says why.
var ErrFits = errors.New("the fits cannot be used")

// Interaction says that a customer likes a product, and how sure that is (a plain like has 1).
// Customers and products are numbered from 0.
type Interaction struct {
	Customer   int32   `parquet:"customer"`
	Product    int32   `parquet:"product"`
	Confidence float32 `parquet:"confidence"`
}

// Question is a product that a model, fitted to the first part, should rank high for the customer, or
// that it should not rank, because the customer has it. All products of a customer follow one another.
type Question struct {
	Customer int32 `parquet:"customer"`
	Product  int32 `parquet:"product"`
	Wanted   bool  `parquet:"wanted"`
}

// Writer writes an export to a local folder, and commits it. It is for one goroutine.
type Writer struct {
	dir      string
	files    []commit.File
	fileRows int64 // of a file
}

// NewWriter begins an export in an empty folder.
func NewWriter(dir string) *Writer { return &Writer{dir: dir, fileRows: fileRows} }

// Part writes what one fit learns from.
func (w *Writer) Part(name string, rows iter.Seq[Interaction]) error { return write(w, name, rows) }

// Questions writes those by which configurations are compared.
func (w *Writer) Questions(rows iter.Seq[Question]) error { return write(w, Questions, rows) }

// write writes a data set as part-00000.parquet and so on, at least one.
func write[Row any](w *Writer, dataSet string, rows iter.Seq[Row]) error {
	next, stop := iter.Pull(rows)
	defer stop()
	for number := 0; ; number++ {
		f := commit.File{Path: path.Join(dataSet, fmt.Sprintf("part-%05d.parquet", number)), DataSet: dataSet}
		var err error
		if f.Rows, err = writeFile(filepath.Join(w.dir, filepath.FromSlash(f.Path)), next, w.fileRows); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
		if f.Rows > 0 || number == 0 {
			w.files = append(w.files, f)
		}
		if f.Rows < w.fileRows {
			return nil
		}
	}
}

// writeFile writes up to most rows.
func writeFile[Row any](name string, next func() (Row, bool), most int64) (rows int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	file, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := parquet.NewGenericWriter[Row](file, parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1),
		&parquet.WriterConfig{CreatedBy: createdBy})
	batch := make([]Row, 0, 4096)
	for rows < most {
		row, more := next()
		if more {
			rows++
			batch = append(batch, row)
		}
		if len(batch) == cap(batch) || !more {
			if _, err := out.Write(batch); err != nil {
				return rows, err
			}
			batch = batch[:0]
		}
		if !more {
			break
		}
	}
	if _, err := out.Write(batch); err != nil {
		return rows, err
	}
	return rows, out.Close()
}

// Commit makes the export whole, under the name run, which no other export of other details has. The
// details are remembered.
func (w *Writer) Commit(ctx context.Context, store objectstore.Store, run string, details any) error {
	data, err := json.Marshal(map[string]any{"run": run, "details": details}) // equal parts of two exports stay two
	if err != nil {
		return fmt.Errorf("encode the details: %w", err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, detailsFile), data, 0o600); err != nil {
		return err
	}
	w.files = append(w.files, commit.File{Path: detailsFile, DataSet: detailsFile, Rows: 1})
	_, err = Repository(store).Keep(ctx, commit.Draft{Kind: Kind, Run: run, SchemaFingerprint: format, Details: details,
		Dir: w.dir, Files: w.files})
	return err
}

// Prune deletes the exports that are older than envconfig.FitsDays, with all that was fitted to them: whoever
// needs one writes it again.
func Prune(ctx context.Context, store objectstore.Store) (commit.Pruned, error) {
	return Repository(store).Expire(ctx, envconfig.FitsDays*24*time.Hour)
}

// Repository holds the exports of a store.
func Repository(store objectstore.Store) *commit.Repository {
	return commit.NewRepository(store, envconfig.FitsPrefix)
}

// Export is what another program has to fit.
type Export struct {
	commit.Manifest
	store objectstore.Store
}

// Open finds a whole export, and reads its details. objectstore.ErrNotFound where there is none.
func Open(ctx context.Context, store objectstore.Store, run string, details any) (*Export, error) {
	m, err := Repository(store).Manifest(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("find the export %s: %w", run, err)
	}
	if m.Kind != Kind || m.SchemaFingerprint != format {
		return nil, fmt.Errorf("the export %s was written by a newer kindred: %w", run, ErrFits)
	}
	if err := json.Unmarshal(m.Details, details); err != nil {
		return nil, fmt.Errorf("read the details of the export %s: %w", run, err)
	}
	return &Export{m, store}, nil
}

// URL is the export's folder, as other programs name it.
func (e *Export) URL() string { return e.store.String() + "/" + e.folder() }

func (e *Export) folder() string { return path.Join(envconfig.FitsPrefix, "run="+e.Run) }

// DataSets are the parts and the questions, each with the paths of its files inside the export.
func (e *Export) DataSets() map[string][]string {
	sets := map[string][]string{}
	for _, f := range e.Files {
		if f.DataSet != detailsFile {
			sets[f.DataSet] = append(sets[f.DataSet], f.Path)
		}
	}
	return sets
}

// Attempt is the attempt that was chosen for import; empty: none yet.
func (e *Export) Attempt(ctx context.Context) (string, error) {
	name, err := Repository(e.store).Record(ctx, e.Run, attemptRecord)
	if errors.Is(err, objectstore.ErrNotFound) {
		return "", nil
	}
	return string(name), err
}

// Choose chooses an attempt, which must have vectors of all parts, for import. The first choice stays:
// chosen may be another one.
func (e *Export) Choose(ctx context.Context, attempt string) (chosen string, err error) {
	if chosen, err = e.Attempt(ctx); err != nil || chosen != "" {
		return chosen, err
	}
	if err := objectkey.Check(attempt); err != nil || strings.Contains(attempt, "/") {
		return "", fmt.Errorf("%q is not the name of a folder: %w", attempt, ErrFits)
	}
	parts := e.DataSets()
	delete(parts, Questions)
	for part := range parts {
		body, _, err := e.store.Get(ctx, path.Join(e.vectors(attempt, part), success))
		if errors.Is(err, objectstore.ErrNotFound) {
			return "", fmt.Errorf("the attempt %s at the export %s is not whole: the folder of its part %s has no file %s: %w",
				attempt, e.Run, part, success, ErrFits)
		}
		if err != nil {
			return "", err
		}
		if err := body.Close(); err != nil {
			return "", err
		}
	}
	if err := Repository(e.store).PutRecord(ctx, e.Run, attemptRecord, []byte(attempt)); err != nil &&
		!errors.Is(err, commit.ErrRunTaken) {
		return "", err
	}
	return e.Attempt(ctx)
}

// vectors is the folder of a part's vectors.
func (e *Export) vectors(attempt, part string) string {
	return path.Join(e.folder(), "attempt="+attempt, part, Products)
}

// Vectors reads the products' vectors that an attempt has fitted to a part, by their numbers, as text.
// Its copies of files are in scratchDir (empty: the system's) meanwhile.
func (e *Export) Vectors(ctx context.Context, attempt, part, scratchDir string) (*vectorfile.Vectors, error) {
	return vectorfile.ReadStored(ctx, e.store, e.vectors(attempt, part), scratchDir)
}
