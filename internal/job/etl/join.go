package etl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// futureSlack is how far beyond the reading's clock a rating may lie: DATETIME has no zone, and no
// zone is further from UTC than 14 hours.
const futureSlack = 24 * time.Hour

// writeRatings joins the ratings of the given customers with what w was given and writes them
// through w, which it closes. customers and products are sorted. What it leaves out is in the
// counts.
func writeRatings(ctx context.Context, from source, w *trainingset.Writer, j *join, customers mysqlsource.Range,
	o Options) (draft commit.Draft, c Counts, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abandon())
		}
	}()
	read, future := int64(0), o.now().Add(futureSlack)
	err = from.RatingsIn(ctx, customers, func(r shop.Rating) error {
		if read++; o.Progress != nil && read%progressRows == 0 {
			o.Progress(read)
		}
		joined, ok := j.join(r, &c)
		if !ok {
			return nil
		}
		if r.RatedAt != nil && r.RatedAt.After(future) {
			c.FutureDate++
		}
		return w.Rating(joined)
	})
	if err != nil {
		return draft, c, err
	}
	c.countFaults(from, read)
	draft, err = w.Close()
	return draft, c, err
}

// join finds a rating's customer and product.
type join struct {
	customers []shop.Customer // by number
	products  *productTable
	// who rated a product last. A shop of its own may have no primary key that keeps a pair from
	// coming twice
	ratedBy  []int32
	number   int32 // of the last rating's customer; ratings of one customer come in a row
	customer int32 // its index, or one of the following
}

const (
	nobody = -1 // before the first rating
	orphan = -2
)

// newJoin sorts customers and products and refuses missing and double ones.
func newJoin(customers []shop.Customer, products []shop.Product) (*join, error) {
	if len(customers) == 0 || len(products) == 0 {
		return nil, fmt.Errorf("%w: table customers has %d rows, products %d", ErrEmpty, len(customers), len(products))
	}
	slices.SortFunc(customers, func(a, b shop.Customer) int { return cmp.Compare(a.Number, b.Number) })
	slices.SortFunc(products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	table, codes := newProductTable(products)
	j := &join{customers: customers, customer: nobody, products: table, ratedBy: make([]int32, len(products))}
	numbers := 1
	for i := range customers[1:] {
		if customers[i].Number != customers[i+1].Number {
			numbers++
		}
	}
	for i, p := range products {
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("check products: %w", err)
		}
		j.ratedBy[i] = nobody
	}
	if numbers < len(customers) || codes < len(products) {
		return nil, fmt.Errorf("%w: customers has %d rows and %d numbers, products %d rows and %d codes", ErrDuplicate,
			len(customers), numbers, len(products), codes)
	}
	return j, nil
}

// join finds the rating's row. Where there is none, c says why.
func (j *join) join(r shop.Rating, c *Counts) (joined trainingset.Rating, ok bool) {
	if j.number != r.CustomerNumber || j.customer == nobody {
		i, known := slices.BinarySearchFunc(j.customers, r.CustomerNumber,
			func(c shop.Customer, n int32) int { return cmp.Compare(c.Number, n) })
		if j.number, j.customer = r.CustomerNumber, int32(i); !known {
			j.customer = orphan
		}
	}
	if j.customer == orphan {
		c.UnknownCustomer++
		return trainingset.Rating{}, false
	}
	product, known := j.products.find(r.ProductCode)
	if !known {
		c.UnknownProduct++
		return trainingset.Rating{}, false
	}
	if j.ratedBy[product] == j.customer {
		c.Duplicate++
		return trainingset.Rating{}, false
	}
	j.ratedBy[product] = j.customer
	joined = trainingset.Rating{Customer: j.customer, Product: product, Stars: r.Stars, RatedAt: trainingset.NoTime}
	if r.RatedAt != nil {
		joined.RatedAt = r.RatedAt.UnixMilli()
	}
	return joined, true
}
