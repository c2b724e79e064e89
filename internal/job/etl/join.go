package etl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

const (
	// futureSlack is how far after the reading's clock a rating may lie: DATETIME has no zone, and
	// no zone is further from UTC than 14 hours.
	futureSlack = 24 * time.Hour
	// batchRatings is how many ratings are joined before they are written.
	batchRatings = 4096
	// waitRatings is how many are held until the database is asked how it compares the product
	// codes that no product has, so that one question asks for many.
	waitRatings = 50_000
	// maxSpellings is how many different codes the database is asked for in one run. The codes
	// after them are unknown if no product has exactly the same bytes.
	maxSpellings = 20_000
	// maxCustomerSpellings is maxSpellings for customers, each of which is asked for alone.
	maxCustomerSpellings = 2_000
)

// ratingSink is where the joined ratings go.
type ratingSink func(trainingset.Rating) error

// writeRatings joins the ratings of the given customers with what w was given and writes them
// through w, which it closes. customers and products are sorted. What it leaves out is in the
// counts.
func writeRatings(ctx context.Context, from source, w *trainingset.Writer, j *join, customers mysqlsource.Range,
	o Options) (draft commit.Draft, c Counts, err error) {
	c, err = j.read(ctx, from, customers, o, w.Rating)
	if err != nil {
		return draft, c, errors.Join(err, w.Abandon())
	}
	draft, err = w.Close()
	return draft, c, err
}

// read joins the ratings of the given customers, range by range, and passes them to sink.
func (j *join) read(ctx context.Context, from source, customers mysqlsource.Range, o Options,
	sink ratingSink) (c Counts, err error) {
	pieces, err := from.Pieces(ctx, customers)
	if err != nil {
		return c, err
	}
	j.from, j.sink, j.faults, j.future = from, sink, from.Faults(), o.now().Add(futureSlack).UnixMilli()
	read, expected := int64(0), int64(0)
	if o.Progress != nil { // asked for only now: on some servers it locks the table until the snapshot ends
		if expected, err = from.EstimateIn(ctx, customers); err != nil {
			return c, err
		}
	}
	for _, piece := range pieces {
		err := from.RatingsIn(ctx, piece, func(r shop.Rating) error {
			if read++; o.Progress != nil && read%progressRows == 0 {
				o.Progress(read, expected)
			}
			return j.add(ctx, r)
		})
		if err == nil {
			err = j.flush(ctx)
		}
		if err != nil {
			return c, err
		}
	}
	c.take(j.faults, read)
	return c, nil
}

// join finds a rating's customer and product. Ratings of one customer come in a row.
type join struct {
	customers   []shop.Customer // by id
	customerIDs *idTable
	products    *idTable
	codes       []shop.Product // by code
	from        source
	sink        ratingSink
	faults      *shop.Faults
	future      int64 // later than this is the future, in milliseconds

	id       string // of the last rating's customer
	customer int32  // its index, or one of the following
	orphan   string // why the customer has none
	met      []bool // by index: its ratings have come
	asked    int    // customers that the database was asked for
	// pending are the ratings that are joined and not yet written: always all of a customer,
	// because a shop of its own may have no primary key that keeps a pair from coming twice.
	// Product is noProduct for those that are left out, and for those of unknown.
	pending []trainingset.Rating
	unknown []unknownCode
	last    []lastRating // by product
	spelled map[string]int32
}

// unknownCode is a rating whose code no product has, byte by byte.
type unknownCode struct {
	at      int // in pending
	code    string
	counted bool // its customer is spelled otherwise, and a rule counts a rating once
}

// lastRating is who rated a product last, and where in pending that is.
type lastRating struct{ customer, at int32 }

// errOrder means that the source does not give the ratings by customer.
var errOrder = errors.New("the ratings of one customer do not come together")

const (
	nobody    = -1 // before the first rating
	orphan    = -2
	noProduct = -1
)

// newJoin sorts customers and products, leaves out the second of each key, and refuses missing
// ones.
func newJoin(customers []shop.Customer, products []shop.Product, faults *shop.Faults) (*join, error) {
	customers = distinctCustomers(customers, faults)
	products = distinctProducts(products, faults)
	if len(customers) == 0 || len(products) == 0 {
		return nil, fmt.Errorf("%w: table customers has %d rows that can be used, products %d", ErrEmpty, len(customers),
			len(products))
	}
	j := &join{customers: customers, customer: nobody, customerIDs: newIDTable(idsOf(customers)), codes: products,
		products: newIDTable(codesOf(products)), met: make([]bool, len(customers)), faults: faults,
		last: make([]lastRating, len(products)), spelled: map[string]int32{}}
	for i := range j.last {
		j.last[i].customer = nobody
	}
	return j, nil
}

func idsOf(customers []shop.Customer) []string {
	ids := make([]string, len(customers))
	for i, c := range customers {
		ids[i] = c.ID
	}
	return ids
}

func codesOf(products []shop.Product) []string {
	codes := make([]string, len(products))
	for i, p := range products {
		codes[i] = p.Code
	}
	return codes
}

// add joins a rating and keeps it for flush, which it calls between two customers.
func (j *join) add(ctx context.Context, r shop.Rating) error {
	if j.id != r.CustomerID || j.customer == nobody {
		if err := j.meet(ctx, r.CustomerID); err != nil {
			return err
		}
	}
	alike := j.customer >= 0 && j.id != j.customers[j.customer].ID
	switch name := func() string { return shop.RatingName(r.CustomerID, r.ProductCode) }; {
	case j.customer == orphan && j.orphan != "":
		why := j.orphan
		j.faults.Add(shop.RatingText, func() string { return name() + ": customerNumber " + why })
		return nil
	case j.customer == orphan:
		j.faults.Add(shop.RatingCustomer, func() string { return name() + ": no such customer" })
		return nil
	case alike:
		of := j.customers[j.customer].ID
		j.faults.Add(shop.RatingSpelling, func() string {
			return name() + ": the database holds it equal to " + shop.CustomerName(of)
		})
	}
	joined := trainingset.Rating{Customer: j.customer, Stars: r.Stars, RatedAt: trainingset.NoTime}
	product, known := j.products.find(r.ProductCode)
	if joined.Product = product; !known {
		joined.Product = noProduct
		j.unknown = append(j.unknown, unknownCode{len(j.pending), strings.Clone(r.ProductCode), alike})
	}
	if r.RatedAt != nil {
		joined.RatedAt = r.RatedAt.UnixMilli()
	}
	j.pending = append(j.pending, joined)
	return nil
}

// meet finds the customer of the ratings that follow.
func (j *join) meet(ctx context.Context, id string) error {
	customer, known := j.customerIDs.find(id)
	if known {
		j.id = j.customers[customer].ID
	} else {
		j.id = strings.Clone(id) // the rating's own does not last
		var err error
		if customer, known, err = j.alike(ctx, j.id); err != nil {
			return err
		}
	}
	switch {
	case !known:
		customer = orphan
	case customer == j.customer: // spelled otherwise
		return nil
	case j.met[customer]:
		return fmt.Errorf("%w: %s", errOrder, shop.CustomerName(j.customers[customer].ID))
	default:
		j.met[customer] = true
	}
	if n := len(j.pending); n >= waitRatings || n >= batchRatings && len(j.unknown) == 0 {
		if err := j.flush(ctx); err != nil {
			return err
		}
	}
	j.customer = customer
	return nil
}

// alike finds the customer whose id is equal to id under the column's collation. It is for an id
// that no customer has byte by byte. A foreign key of the database compares in the same way.
func (j *join) alike(ctx context.Context, id string) (customer int32, known bool, err error) {
	if j.orphan = ""; id == "" {
		return 0, false, nil
	}
	if err := text.CheckID(id); err != nil {
		j.orphan = err.Error()
		return 0, false, nil //nolint:nilerr // it is counted, and the other ratings are read
	}
	if j.asked++; j.asked > maxCustomerSpellings {
		return 0, false, nil
	}
	same, err := j.from.SameCustomers(ctx, []string{id})
	if err != nil {
		return 0, false, err
	}
	slices.Sort(same[id])
	for _, other := range same[id] { // of several the first that the snapshot has
		if customer, known = j.customerIDs.find(other); known {
			return customer, true, nil
		}
	}
	return 0, false, nil
}

// flush writes what is pending, of each customer and product the newest.
func (j *join) flush(ctx context.Context) error {
	if len(j.unknown) > 0 {
		if err := j.resolve(ctx); err != nil {
			return err
		}
	}
	for i := range j.pending {
		r := &j.pending[i]
		if r.Product == noProduct {
			continue
		}
		last := &j.last[r.Product]
		if last.customer != r.Customer {
			*last = lastRating{r.Customer, int32(i)}
			continue
		}
		j.faults.Add(shop.RatingTwice, func() string { return j.name(*r) + ": rated more than once" })
		if kept := &j.pending[last.at]; newer(*r, *kept) {
			kept.Stars, kept.RatedAt = r.Stars, r.RatedAt // in the first one's place: the order stays
		}
		r.Product = noProduct
	}
	for i := range j.pending {
		r := j.pending[i]
		if r.Product == noProduct {
			continue
		}
		if r.RatedAt > j.future {
			j.faults.Add(shop.RatingFuture, func() string {
				return j.name(r) + ": rated on " + time.UnixMilli(r.RatedAt).UTC().Format(time.DateOnly)
			})
		}
		if err := j.sink(r); err != nil {
			return err
		}
	}
	j.pending = j.pending[:0]
	return nil
}

func (j *join) name(r trainingset.Rating) string {
	return shop.RatingName(j.customers[r.Customer].ID, j.codes[r.Product].Code)
}

// newer says which rating of a pair counts. The stars decide between equal times, so that the same
// shop gives the same set however its server orders equal rows.
func newer(a, b trainingset.Rating) bool {
	if a.RatedAt != b.RatedAt {
		return a.RatedAt > b.RatedAt // NoTime is before all times
	}
	return a.Stars > b.Stars
}

// resolve finds the products of the ratings whose codes no product has byte by byte. The database
// may hold them equal to a product's all the same, by case or by spaces at the end: its foreign key
// does. What is left is counted.
func (j *join) resolve(ctx context.Context) error {
	var ask []string
	for _, u := range j.unknown {
		if _, known := j.spelled[u.code]; known || text.CheckID(u.code) != nil ||
			len(j.spelled) >= maxSpellings {
			continue
		}
		j.spelled[u.code] = noProduct
		ask = append(ask, u.code)
	}
	if len(ask) > 0 {
		same, err := j.from.SameProducts(ctx, ask)
		if err != nil {
			return err
		}
		for code, products := range same {
			slices.Sort(products)
			for _, product := range products { // of several the first that the snapshot has
				if i, known := j.products.find(product); known {
					j.spelled[code] = i
					break
				}
			}
		}
	}
	for _, u := range j.unknown {
		j.place(u)
	}
	j.unknown = j.unknown[:0]
	return nil
}

// place gives a rating its product, or counts why it has none.
func (j *join) place(u unknownCode) {
	r := &j.pending[u.at]
	name := func() string { return shop.RatingName(j.customers[r.Customer].ID, u.code) }
	if product, known := j.spelled[u.code]; known && product != noProduct {
		if r.Product = product; u.counted {
			return
		}
		j.faults.Add(shop.RatingSpelling, func() string {
			return fmt.Sprintf("%s: the database holds it equal to product %q", name(), j.codes[product].Code)
		})
		return
	}
	if err := text.CheckID(u.code); err != nil {
		j.faults.Add(shop.RatingText, func() string { return name() + ": productCode " + err.Error() })
		return
	}
	j.faults.Add(shop.RatingProduct, func() string { return name() + ": no such product" })
}
