package trainingset

import (
	"errors"

	"kindred/internal/commit"
	"kindred/internal/shop"
)

// batchRows is how many rows go to the Parquet writer in one call, which spares its fixed cost per call.
const batchRows = 1024

// Writer writes a training set's files into a local folder. Equal rows in equal order give equal bytes. It is for one
// goroutine.
type Writer struct {
	dir     string
	ratings partWriter[ratingRow]
	batch   []ratingRow
	millis  [batchRows]int64 // what ratedAt of batch points to
	others  []commit.File
}

// NewWriter writes into dir, an empty folder. Call Close in the end, or Abandon when something failed.
func NewWriter(dir string) *Writer {
	return &Writer{dir: dir, ratings: partWriter[ratingRow]{dir: dir, dataSet: Ratings, limitBytes: partBytes, limitRows: groupRows},
		batch: make([]ratingRow, 0, batchRows)}
}

// Customers writes all customers, once, sorted by number.
func (w *Writer) Customers(customers []shop.Customer) error {
	return writeWhole(w, Customers, customers, toCustomerRow)
}

// Products writes all products, once, sorted by code.
func (w *Writer) Products(products []shop.Product) error {
	return writeWhole(w, Products, products, toProductRow)
}

func writeWhole[Row, Source any](w *Writer, dataSet string, all []Source, convert func(Source) Row) error {
	parts := partWriter[Row]{dir: w.dir, dataSet: dataSet, limitBytes: partBytes, limitRows: groupRows}
	rows := make([]Row, len(all))
	for i, source := range all {
		rows[i] = convert(source)
	}
	if err := parts.write(rows); err != nil {
		return errors.Join(err, parts.abandon())
	}
	files, err := parts.close()
	w.others = append(w.others, files...)
	return err
}

// Rating writes one rating. Those of one customer come one after the other.
func (w *Writer) Rating(r Rating) error {
	row := toRatingRow(r)
	if r.RatedAt != nil {
		at := &w.millis[len(w.batch)]
		*at = r.RatedAt.UnixMilli()
		row.RatedAt = at
	}
	if w.batch = append(w.batch, row); len(w.batch) < batchRows {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	err := w.ratings.write(w.batch)
	w.batch = w.batch[:0]
	return err
}

// Close completes the files and returns them as a draft, without Run, Source and Details.
func (w *Writer) Close() (commit.Draft, error) {
	if err := w.flush(); err != nil {
		return commit.Draft{}, errors.Join(err, w.Abandon())
	}
	files, err := w.ratings.close()
	if err != nil {
		return commit.Draft{}, err
	}
	return commit.Draft{Kind: Kind, SchemaFingerprint: Fingerprint(), Dir: w.dir, Files: append(files, w.others...)}, nil
}

// Abandon closes what is open. The files are then incomplete and for nobody.
func (w *Writer) Abandon() error { return w.ratings.abandon() }
