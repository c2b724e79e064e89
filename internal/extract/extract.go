// Package extract is the logic of the etl job: it joins the ratings of a snapshot with customers and products, writes them as
// a training set and commits it. It owns the join, the rule for ratings without customer or product, and what the job
// tells people. Reading belongs to package mysqlsource, the files to trainingset, the appearance at once to commit.
//
// The join is done here and not by the database: customers and products are small and held in memory while the ratings
// stream past, which spares the server two thirds of the work.
package extract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"kindred/internal/commit"
	"kindred/internal/mysqlsource"
	"kindred/internal/shop"
	"kindred/internal/trainingset"
)

var (
	// ErrEmpty means that a table has no rows. An empty set never replaces a good one.
	ErrEmpty = errors.New("nothing to train on")
	// ErrOrphans means that too many ratings name a customer or a product that is not there.
	ErrOrphans = errors.New("too many ratings have no customer or no product")
	// ErrDuplicate means that a key of customers, products or ratings is there twice.
	ErrDuplicate = errors.New("key is there twice")
)

// source is one consistent view of a shop.
type source interface {
	// Customers returns all customers.
	Customers(ctx context.Context) ([]shop.Customer, error)
	// Products returns all products.
	Products(ctx context.Context) ([]shop.Product, error)
	// Ratings calls rating for each rating, all of one customer in a row; an error of rating ends it and is returned. What
	// RatedAt points to is valid during the call.
	Ratings(ctx context.Context, rating func(shop.Rating) error) error
	// Position says which moment of the source this is.
	Position() mysqlsource.Position
}

// Options is what a run may vary.
type Options struct {
	// ScratchDir holds the files until they are committed, in a folder of their own that is removed. Empty: the system's.
	ScratchDir string
	// MaxOrphans is the share of ratings, 0 to 1, that may name a missing customer or product. They are left out and
	// counted; more of them stop the run.
	MaxOrphans float64
	// Progress is called with the number of ratings read so far, now and then. Nil: nobody looks.
	Progress func(ratings int64)
}

// progressRows is how many ratings pass between two calls of Progress: a few a second.
const progressRows = 50_000

// Orphans counts the ratings that were left out. One that lacks both counts as lacking its customer.
type Orphans struct {
	UnknownCustomer int64 `json:"unknown_customer"`
	UnknownProduct  int64 `json:"unknown_product"`
}

func (o Orphans) sum() int64 { return o.UnknownCustomer + o.UnknownProduct }

// Details is what a training set's manifest remembers of its making.
type Details struct {
	RatingsRead int64   `json:"ratings_read"`
	Orphans     Orphans `json:"orphans"`
}

// Run extracts the source and makes it the current training set. changed is false, and nothing is written to the
// repository, when the current one is the same. After any error the old one is still current.
func Run(ctx context.Context, from source, repo *commit.Repository, o Options) (m commit.Manifest, d Details, changed bool, err error) {
	dir, err := os.MkdirTemp(o.ScratchDir, "kindred-etl-*")
	if err != nil {
		return m, d, false, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	draft, d, err := write(ctx, from, dir, o)
	if err != nil {
		return m, d, false, err
	}
	draft.Source, draft.Details = from.Position(), d
	m, changed, err = repo.Commit(ctx, draft)
	if err != nil {
		err = fmt.Errorf("commit training set: %w", err)
	}
	return m, d, changed, err
}

// write writes the three data sets into dir.
func write(ctx context.Context, from source, dir string, o Options) (draft commit.Draft, d Details, err error) {
	customers, err := from.Customers(ctx)
	if err != nil {
		return draft, d, err
	}
	products, err := from.Products(ctx)
	if err != nil {
		return draft, d, err
	}
	j, err := newJoin(customers, products)
	if err != nil {
		return draft, d, err
	}
	w := trainingset.NewWriter(dir)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abandon())
		}
	}()
	if err := w.Customers(customers); err != nil {
		return draft, d, err
	}
	if err := w.Products(products); err != nil {
		return draft, d, err
	}
	err = from.Ratings(ctx, func(r shop.Rating) error {
		if d.RatingsRead++; o.Progress != nil && d.RatingsRead%progressRows == 0 {
			o.Progress(d.RatingsRead)
		}
		joined, ok, err := j.join(r, &d.Orphans)
		if !ok {
			return err
		}
		return w.Rating(joined)
	})
	if err != nil {
		return draft, d, err
	}
	if err := d.check(o.MaxOrphans); err != nil {
		return draft, d, err
	}
	draft, err = w.Close()
	return draft, d, err
}

func (d Details) check(maxOrphans float64) error {
	if d.RatingsRead == 0 {
		return fmt.Errorf("%w: table ratings is empty", ErrEmpty)
	}
	orphans := d.Orphans.sum()
	if orphans == d.RatingsRead || float64(orphans) > maxOrphans*float64(d.RatingsRead) {
		return fmt.Errorf("%w: %d of %d (%d customer unknown, %d product unknown), at most %.3g %% may be left out; the old training set stays",
			ErrOrphans, orphans, d.RatingsRead, d.Orphans.UnknownCustomer, d.Orphans.UnknownProduct, 100*maxOrphans)
	}
	return nil
}

// join finds a rating's customer and product.
type join struct {
	customers map[int32]*shop.Customer
	products  map[string]*rated
	last      *shop.Customer // ratings of one customer come in a row
}

// rated is a product and who rated it last. A shop of its own may have no primary key that keeps a pair from coming twice.
type rated struct {
	product *shop.Product
	by      *shop.Customer
}

// newJoin sorts customers and products and refuses missing and double ones.
func newJoin(customers []shop.Customer, products []shop.Product) (*join, error) {
	if len(customers) == 0 || len(products) == 0 {
		return nil, fmt.Errorf("%w: table customers has %d rows, products %d", ErrEmpty, len(customers), len(products))
	}
	slices.SortFunc(customers, func(a, b shop.Customer) int { return int(int64(a.Number) - int64(b.Number)) })
	slices.SortFunc(products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	j := &join{customers: make(map[int32]*shop.Customer, len(customers)), products: make(map[string]*rated, len(products))}
	for i := range customers {
		j.customers[customers[i].Number] = &customers[i]
	}
	for i := range products {
		if err := products[i].Validate(); err != nil {
			return nil, fmt.Errorf("check products: %w", err)
		}
		j.products[products[i].Code] = &rated{product: &products[i]}
	}
	if len(j.customers) < len(customers) || len(j.products) < len(products) {
		return nil, fmt.Errorf("%w: customers has %d rows and %d numbers, products %d rows and %d codes", ErrDuplicate,
			len(customers), len(j.customers), len(products), len(j.products))
	}
	return j, nil
}

func (j *join) join(r shop.Rating, orphans *Orphans) (joined trainingset.Rating, ok bool, err error) {
	if j.last == nil || j.last.Number != r.CustomerNumber {
		if j.last = j.customers[r.CustomerNumber]; j.last == nil {
			orphans.UnknownCustomer++
			return trainingset.Rating{}, false, nil
		}
	}
	product := j.products[r.ProductCode]
	if product == nil {
		orphans.UnknownProduct++
		return trainingset.Rating{}, false, nil
	}
	if product.by == j.last {
		return trainingset.Rating{}, false, fmt.Errorf("%w: table ratings has a customer and product %s more than once", ErrDuplicate, r.ProductCode)
	}
	product.by = j.last
	return trainingset.Rating{Customer: j.last, Product: product.product, Stars: r.Stars, RatedAt: r.RatedAt}, true, nil
}
