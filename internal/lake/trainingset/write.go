package trainingset

import (
	"errors"
	"fmt"
	"math"

	"kindred/internal/lake/commit"
	"kindred/internal/shop"
)

const (
	// batchRows is how many rows go from one goroutine, or one library, to the next in one call, which
	// spares the cost of each.
	batchRows = 4096
	// queueBatches is how many batches lie between reading and encoding: enough that neither waits
	// while the other writes a row group (half a million rows are encoded in the time in which the
	// source sends 100,000).
	queueBatches = 32
)

// NoTime is the RatedAt of a rating whose time is not known.
const NoTime = math.MinInt64

// Rating is one rating on its way into the files.
type Rating struct {
	RatedAt  int64 // milliseconds since 1970 UTC, or NoTime
	Customer int32 // index into what Customers was given
	Product  int32 // index into what Products was given
	Stars    int8
}

// Writer writes a training set's files into a local folder: first Customers and Products, once
// each, then every Rating, then Close. Equal rows in equal order give equal bytes. It is for one
// goroutine; ratings are encoded in another one of its own.
type Writer struct {
	dir       string
	keys      Keys
	customers []shop.Customer
	products  []shop.Product
	others    []commit.File
	batch     []Rating
	full      chan []Rating
	free      chan []Rating
	done      chan struct{} // closed when the encoding goroutine has ended
	ratings   *ratingWriter // the encoding goroutine's until done
	err       error         // as ratings
}

// NewWriter writes into dir, an empty folder, with keys of the given types. Call Close in the end, or
// Abandon when something failed.
func NewWriter(dir string, keys Keys) *Writer { return &Writer{dir: dir, keys: keys.orSeed()} }

// Customers writes all customers, sorted by id (text.CompareIDs). They must not change before Close.
func (w *Writer) Customers(customers []shop.Customer) error {
	if err := w.keys.Customer.checkCustomers(customers); err != nil {
		return err
	}
	for i := range customers {
		if err := checkCustomer(&customers[i]); err != nil {
			return err
		}
	}
	files, err := w.keys.writeCustomers(w.dir, customers)
	w.customers, w.others = customers, append(w.others, files...)
	return err
}

// Products writes all products, sorted by code. They must not change before Close.
func (w *Writer) Products(products []shop.Product) error {
	if err := w.keys.Product.checkProducts(products); err != nil {
		return err
	}
	for i := range products {
		if err := checkProduct(&products[i]); err != nil {
			return err
		}
	}
	files, err := w.keys.writeProducts(w.dir, products)
	w.products, w.others = products, append(w.others, files...)
	return err
}

// Rating writes one rating. Those of one customer should come one after the other, which makes the
// files small. An error of the disk shows at a later rating or at Close.
func (w *Writer) Rating(r Rating) error {
	if uint(r.Customer) >= uint(len(w.customers)) || uint(r.Product) >= uint(len(w.products)) {
		return fmt.Errorf("%w: customer %d of %d, product %d of %d", ErrOrphan, r.Customer, len(w.customers), r.Product,
			len(w.products))
	}
	if w.batch == nil {
		w.start()
	}
	if w.batch = append(w.batch, r); len(w.batch) < batchRows {
		return nil
	}
	return w.pass()
}

// start begins the encoding goroutine.
func (w *Writer) start() {
	w.ratings = newRatingWriter(w.dir, w.keys, w.customers, w.products)
	w.full, w.free, w.done = make(chan []Rating, queueBatches), make(chan []Rating, queueBatches), make(chan struct{})
	for range queueBatches {
		w.free <- make([]Rating, 0, batchRows)
	}
	w.batch = <-w.free
	go func() {
		defer close(w.done)
		for batch := range w.full {
			if w.err = w.ratings.write(batch); w.err != nil {
				return
			}
			w.free <- batch[:0]
		}
	}()
}

// pass hands the batch to the encoding goroutine and takes an empty one.
func (w *Writer) pass() error {
	select {
	case w.full <- w.batch:
	case <-w.done:
		return w.err
	}
	select {
	case w.batch = <-w.free:
	case <-w.done:
		return w.err
	}
	return nil
}

// stop passes what is left and waits for the encoding goroutine's end.
func (w *Writer) stop() error {
	select {
	case w.full <- w.batch:
	case <-w.done:
	}
	close(w.full)
	<-w.done
	w.full = nil
	return w.err
}

// Close completes the files and returns them as a draft, without Run, Source and Details.
func (w *Writer) Close() (commit.Draft, error) {
	if w.ratings == nil {
		w.start()
	}
	if err := w.stop(); err != nil {
		return commit.Draft{}, errors.Join(err, w.Abandon())
	}
	files, err := w.ratings.close()
	if err != nil {
		return commit.Draft{}, errors.Join(err, w.Abandon())
	}
	return commit.Draft{Kind: Kind, SchemaFingerprint: Fingerprint(w.keys), Dir: w.dir, Files: append(files, w.others...)},
		nil
}

// Abandon closes the open files. They are incomplete and must not be used.
func (w *Writer) Abandon() error {
	if w.ratings == nil {
		return nil
	}
	if w.full != nil {
		close(w.full)
		<-w.done
		w.full = nil
	}
	return w.ratings.parts.abandon()
}
