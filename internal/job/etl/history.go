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

// historySource is one consistent view of a shop with interactions.
type historySource interface {
	// HistorySchema asks for the columns, and reports those that cannot be read.
	HistorySchema(ctx context.Context) (mysqlsource.Schema, error)
	// Listings and Shoppers return all products and customers with a usable id, in any order.
	Listings(ctx context.Context) ([]shop.Listing, error)
	Shoppers(ctx context.Context) ([]shop.Shopper, error)
	// Interactions calls next for each usable interaction, in any order.
	Interactions(ctx context.Context, next func(shop.Interaction)) error
	// Faults counts what the readings so far have left out or replaced. The caller adds its own.
	Faults() *shop.Faults
	Position() mysqlsource.Position
}

// RunHistory is Run for a shop with interactions. All of its interactions are held in memory, 40
// bytes each and every id once, because their order must not depend on the server's.
func RunHistory(ctx context.Context, from historySource, repo *commit.Repository, o Options) (out Outcome, err error) {
	from = withoutInHistory(from, o.Erased)
	base, err := current(ctx, repo)
	if err != nil {
		return out, err
	}
	before, err := predecessor(base, from.Position().Database, o)
	if err != nil {
		return out, err
	}
	if out.Details.Schema, err = prepareHistory(ctx, from, before, o); err != nil {
		return out, err
	}
	out.Details.Shop, out.Details.Limits, out.Details.Preset = o.name(from.Position().Database), o.Limits, o.Preset
	h, counts, err := readHistory(ctx, from, o)
	if err != nil {
		return out, err
	}
	out.Details.History, out.Details.Examples = &counts, from.Faults().Examples()
	err = oneLine(errors.Join(counts.check(o.Limits, out.Details.Examples), shrunk(before, counts.rows(h),
		out.Details, o), oneCurrency(h.Products)))
	if err != nil {
		return out, err
	}
	err = withScratch(o, func(dir string) error {
		draft, err := trainingset.WriteHistory(dir, h)
		if err != nil {
			return err
		}
		return out.commit(ctx, repo, draft, from.Position(), base)
	})
	if err == nil && out.Changed {
		out.prune(ctx, repo, o)
	}
	return out, err
}

// prepareHistory is prepare for a shop with interactions.
func prepareHistory(ctx context.Context, from historySource, base commit.Manifest, o Options) (mysqlsource.Schema,
	error) {
	now, err := from.HistorySchema(ctx)
	if err != nil {
		return now, oneLine(err)
	}
	if o.AcceptSchema {
		return now, nil
	}
	if err := sameContract(base, true); err != nil {
		return now, err
	}
	before := schemaOf(base)
	return now, errDrift(append(gone(before, now), narrowed(before, now)...))
}

// sameContract refuses a set of ratings after one of interactions, and the other way round. In most
// cases it is the database of another shop.
func sameContract(base commit.Manifest, history bool) error {
	if base.Run == "" || trainingset.IsHistory(base) == history {
		return nil
	}
	was, is := "ratings", "interactions"
	if !history {
		was, is = is, was
	}
	return errDrift([]string{fmt.Sprintf("the current training set holds %s, and this shop gives %s", was, is)})
}

// collector takes in a shop's interactions: every id once, and what points to it.
type collector struct {
	h         *trainingset.History
	faults    *shop.Faults
	listed    int // customers that the shop lists; 0: any interaction may name one
	customers map[string]int32
	products  map[string]int32
	sessions  intern
	orders    intern
	kinds     intern
	future    int64 // later than this is the future, in milliseconds
	read      int64
	progress  func(read, expected int64)
}

// intern gives each text a number.
type intern struct {
	numbers map[string]int32
	texts   []string
}

func (in *intern) number(text []byte) int32 {
	if len(text) == 0 {
		return trainingset.None
	}
	n, ok := in.numbers[string(text)]
	if !ok {
		if in.numbers == nil {
			in.numbers = map[string]int32{}
		}
		n = int32(len(in.texts))
		own := string(text)
		in.numbers[own], in.texts = n, append(in.texts, own)
	}
	return n
}

// sorted puts the texts in order and says which number each has now.
func (in *intern) sorted() (texts []string, now []int32) {
	order := make([]int32, len(in.texts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(in.texts[a], in.texts[b]) })
	now = make([]int32, len(order))
	for place, old := range order {
		texts = append(texts, in.texts[old])
		now[old] = int32(place)
	}
	return texts, now
}

// readHistory reads all three data sets. Equal shops give equal sets, in whatever order the server
// sends its rows.
func readHistory(ctx context.Context, from historySource, o Options) (*trainingset.History, HistoryCounts, error) {
	faults := from.Faults()
	shoppers, err := from.Shoppers(ctx)
	if err != nil {
		return nil, HistoryCounts{}, err
	}
	listings, err := from.Listings(ctx)
	if err != nil {
		return nil, HistoryCounts{}, err
	}
	counts := HistoryCounts{Customers: int64(len(shoppers)) + faults.Count(shop.CustomerKey),
		Products: int64(len(listings)) + faults.Count(shop.ProductKey), Kinds: map[string]int64{}}
	c := newCollector(shoppers, listings, faults, o)
	if len(c.h.Products) > 0 {
		if err := from.Interactions(ctx, c.add); err != nil {
			return nil, counts, err
		}
	}
	c.order()
	counts.take(c)
	if len(c.h.Products) == 0 {
		why := append([]string{"there is no product with a usable id"}, counts.broken(o.Limits, faults.Examples())...)
		return nil, counts, fmt.Errorf("%w: %s; the old training set stays", ErrEmpty, strings.Join(why, "; "))
	}
	return c.h, counts, nil
}

func newCollector(shoppers []shop.Shopper, listings []shop.Listing, faults *shop.Faults, o Options) *collector {
	c := &collector{h: &trainingset.History{}, faults: faults, customers: map[string]int32{},
		products: map[string]int32{}, future: o.now().Add(futureSlack).UnixMilli(), progress: o.Progress}
	c.h.Customers = distinct(shoppers, func(a, b shop.Shopper) int { return strings.Compare(a.ID, b.ID) },
		func(s shop.Shopper) {
			faults.Add(shop.CustomerTwice, func() string { return shop.CustomerID(s.ID) + ": there more than once" })
		})
	c.h.Products = distinctListings(listings, faults)
	for i, s := range c.h.Customers {
		c.customers[s.ID] = int32(i)
	}
	c.listed = len(c.h.Customers)
	for i, p := range c.h.Products {
		c.products[p.ID] = int32(i)
	}
	return c
}

// add takes in an interaction, or counts why not.
func (c *collector) add(i shop.Interaction) {
	if c.read++; c.progress != nil && c.read%progressRows == 0 {
		c.progress(c.read, 0)
	}
	product, known := c.products[string(i.Product)]
	if !known {
		c.faults.Add(shop.InteractionProduct, func() string {
			return shop.InteractionName(i.Product, i.Order) + ": no such product"
		})
		return
	}
	title := func() string { return shop.InteractionName(i.Product, i.Order) }
	if _, known := c.kinds.numbers[string(i.Kind)]; !known && len(c.kinds.texts) == shop.MaxKinds {
		c.faults.Add(shop.InteractionKind, func() string {
			return fmt.Sprintf("%s: kind %q is one more than the %d that a shop may have", title(), i.Kind, shop.MaxKinds)
		})
		return
	}
	e := trainingset.Entry{At: i.At, Customer: c.customer(i.Customer, title), Session: c.sessions.number(i.Session),
		Product: product, Order: c.orders.number(i.Order), Kind: uint8(c.kinds.number(i.Kind)),
		Value: trainingset.NoNumber(), Quantity: trainingset.NoNumber()}
	if i.Value != nil {
		e.Value = float32(*i.Value)
	}
	if i.Quantity != nil {
		e.Quantity = float32(*i.Quantity)
	}
	if e.At > c.future {
		c.faults.Add(shop.InteractionFuture, func() string {
			return title() + ": at " + time.UnixMilli(e.At).UTC().Format(time.DateOnly)
		})
	}
	c.h.Entries = append(c.h.Entries, e)
}

// customer is the customer's place. One that is not listed becomes a customer of whom nothing else
// is known.
func (c *collector) customer(id []byte, title func() string) int32 {
	if len(id) == 0 {
		return trainingset.None
	}
	n, known := c.customers[string(id)]
	if !known {
		own := string(id)
		n = int32(len(c.h.Customers))
		c.customers[own], c.h.Customers = n, append(c.h.Customers, shop.Shopper{ID: own})
	}
	if c.listed > 0 && int(n) >= c.listed {
		c.faults.Add(shop.InteractionCustomer, func() string {
			return title() + ": " + shop.CustomerID(string(id)) + " is not among the customers"
		})
	}
	return n
}

// order sorts everything, so that nothing depends on the order in which it came.
func (c *collector) order() {
	h := c.h
	var sessions, orders, kinds []int32
	h.Sessions, sessions = c.sessions.sorted()
	h.Orders, orders = c.orders.sorted()
	h.Kinds, kinds = c.kinds.sorted()
	ids := intern{}
	for _, s := range h.Customers {
		ids.texts = append(ids.texts, s.ID)
	}
	_, customers := ids.sorted()
	people := make([]shop.Shopper, len(h.Customers))
	for old, now := range customers {
		people[now] = h.Customers[old]
	}
	h.Customers = people
	at := func(now []int32, old int32) int32 {
		if old == trainingset.None {
			return old
		}
		return now[old]
	}
	for i := range h.Entries {
		e := &h.Entries[i]
		e.Customer, e.Session, e.Order = at(customers, e.Customer), at(sessions, e.Session), at(orders, e.Order)
		e.Kind = uint8(kinds[e.Kind])
	}
	slices.SortFunc(h.Entries, func(a, b trainingset.Entry) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Session, b.Session), cmp.Compare(a.At, b.At),
			cmp.Compare(a.Order, b.Order), cmp.Compare(a.Product, b.Product), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Value, b.Value), cmp.Compare(a.Quantity, b.Quantity))
	})
}
