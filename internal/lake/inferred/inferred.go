// Package inferred is the lake's data set of recommendations for all customers, for e-mail and other programs: one
// file as Parquet and the same rows as CSV. It owns the rows and the layout of the files, which it writes row by row.
// What is recommended is package recommend's to say.
package inferred

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
)

// Row is a product that is recommended to a customer.
type Row struct {
	CustomerID string  `parquet:"customer_number"`
	Place      int32   `parquet:"place"` // from 1, the best one first
	ProductID  string  `parquet:"product_code,dict"`
	Score      float32 `parquet:"score"`
	Source     string  `parquet:"source,dict"` // what the answer was made from, as in a recommendation record
}

// Names in the manifest.
const (
	Kind              = "inferred"   // of the manifest
	SchemaFingerprint = "inferred-1" // layout of the files
	DataSet           = "recommendations"

	parquetFile = "recommendations.parquet"
	csvFile     = "recommendations.csv"
)

// groupRows is how many rows a row group of the Parquet file has: they are in memory until it is written.
const groupRows = 200_000

// Writer writes both files. It is not safe for concurrent use.
type Writer struct {
	files   [2]*os.File
	parquet *parquet.GenericWriter[Row]
	csv     *csv.Writer
	rows    int64
}

// Create begins the files in a folder.
func Create(dir string) (w *Writer, err error) {
	w = &Writer{}
	for i, name := range []string{parquetFile, csvFile} {
		if w.files[i], err = os.Create(filepath.Join(dir, name)); err != nil {
			return nil, errors.Join(err, w.closeFiles())
		}
	}
	w.parquet = parquet.NewGenericWriter[Row](w.files[0], &parquet.WriterConfig{CreatedBy: "kindred",
		Compression: &parquet.Snappy, MaxRowsPerRowGroup: groupRows,
		Schema: parquet.NewSchema("recommendation", parquet.SchemaOf(Row{}))})
	w.csv = csv.NewWriter(w.files[1])
	return w, w.csv.Write([]string{"customer_number", "place", "product_code", "score", "source"})
}

// Add appends rows to both files.
func (w *Writer) Add(rows []Row) error {
	if _, err := w.parquet.Write(rows); err != nil {
		return fmt.Errorf("write %s: %w", parquetFile, err)
	}
	for _, r := range rows {
		if err := w.csv.Write([]string{r.CustomerID, strconv.Itoa(int(r.Place)), r.ProductID,
			strconv.FormatFloat(float64(r.Score), 'g', -1, 32), r.Source}); err != nil {
			return fmt.Errorf("write %s: %w", csvFile, err)
		}
	}
	w.rows += int64(len(rows))
	return nil
}

// Close ends the files, and names them for a commit. After an error they are no use.
func (w *Writer) Close() ([]commit.File, error) {
	err := w.parquet.Close()
	w.csv.Flush()
	if err := errors.Join(err, w.csv.Error(), w.closeFiles()); err != nil {
		return nil, fmt.Errorf("end the files: %w", err)
	}
	return []commit.File{{Path: parquetFile, DataSet: DataSet, Rows: w.rows},
		{Path: csvFile, DataSet: DataSet + "-csv", Rows: w.rows}}, nil
}

func (w *Writer) closeFiles() (err error) {
	for _, f := range w.files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
