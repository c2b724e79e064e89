package trainingset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/platform/checksum"
	"kindred/internal/shop"
)

// Interactions is the data set that a training set of interactions has instead of ratings.
const Interactions = "interactions"

// History is a training set of interactions in memory: what people did with products. Ids are kept
// once, and an entry points to them.
type History struct {
	Run         string
	ContentHash string
	Customers   []shop.Shopper // sorted by ID; everyone whom an entry names is among them
	Products    []shop.Listing // sorted by ID
	Sessions    []string
	Orders      []string
	Kinds       []string
	Entries     []Entry
}

// Guests is how many sessions without a customer a set has: training learns each like a customer. Where
// earlier programs did not count the sessions, it is the number of their interactions, which is not less.
func Guests(m commit.Manifest) int64 {
	var details struct {
		Interactions struct {
			Guests        int64 `json:"guests"`
			GuestSessions int64 `json:"guest_sessions"`
		} `json:"interactions"`
	}
	if len(m.Details) == 0 || json.Unmarshal(m.Details, &details) != nil {
		return 0
	}
	return cmp.Or(details.Interactions.GuestSessions, details.Interactions.Guests)
}

// Entry is one interaction. An index is None where there is nothing to point to.
type Entry struct {
	At                int64 // milliseconds since 1970 UTC, or NoTime
	Customer, Session int32 // at least one is not None
	Product           int32
	Order             int32
	Value, Quantity   float32 // NaN: none
	Kind              uint8
}

// None is the index of what an entry does not have.
const None = -1

// NoNumber is the Value or Quantity of an entry that has none.
func NoNumber() float32 { return float32(math.NaN()) }

// historyRow has the columns of interactions in their order. at has no time zone, as MySQL's
// DATETIME has none.
type historyRow struct {
	Customer *string  `parquet:"customer,optional,dict"`
	Session  *string  `parquet:"session,optional,dict"`
	Product  string   `parquet:"product,dict"`
	Kind     string   `parquet:"kind,dict"`
	Value    *float32 `parquet:"value,optional,dict"`
	Quantity *float32 `parquet:"quantity,optional,dict"`
	At       *int64   `parquet:"at,optional,timestamp(millisecond:local)"`
	OrderID  *string  `parquet:"order_id,optional,dict"`
}

type listingRow struct {
	ID         string         `parquet:"id"`
	Name       string         `parquet:"name"`
	Categories []string       `parquet:"categories,list"`
	Brand      *string        `parquet:"brand,optional,dict"`
	Price      *int64         `parquet:"price,optional,decimal(4:18)"`
	Currency   *string        `parquet:"currency,optional,dict"`
	Available  bool           `parquet:"available"`
	Stock      *int64         `parquet:"stock,optional"`
	URL        *string        `parquet:"url,optional"`
	Image      *string        `parquet:"image,optional"`
	Attributes []attributeRow `parquet:"attributes,list"`
}

type shopperRow struct {
	ID         string         `parquet:"id"`
	Country    *string        `parquet:"country,optional,dict"`
	City       *string        `parquet:"city,optional,dict"`
	Attributes []attributeRow `parquet:"attributes,list"`
}

// attributeRow has one of text, number and flag.
type attributeRow struct {
	Name   string   `parquet:"name,dict"`
	Text   *string  `parquet:"text,optional,dict"`
	Number *float64 `parquet:"number,optional"`
	Flag   *bool    `parquet:"flag,optional"`
}

// HistorySchema is the columns of a set of interactions as text, in the notation of Parquet's own
// tools.
func HistorySchema() string {
	return parquet.NewSchema(Interactions, parquet.SchemaOf(historyRow{})).String() + "\n" +
		parquet.NewSchema(Customers, parquet.SchemaOf(shopperRow{})).String() + "\n" +
		parquet.NewSchema(Products, parquet.SchemaOf(listingRow{})).String() + "\n"
}

// HistoryFingerprint identifies the columns of a set of interactions.
func HistoryFingerprint() string { return checksum.Bytes([]byte(HistorySchema())) }

// IsHistory reports whether a training set is one of interactions.
func IsHistory(m commit.Manifest) bool { return m.SchemaFingerprint == HistoryFingerprint() }

// groupsInFile is how many row groups a file of interactions has at most: some 100 MB.
const groupsInFile = 16

// WriteHistory writes a training set of interactions into dir, an empty folder, and returns its
// files as a draft without Run, Source and Details. Equal rows in equal order give equal bytes.
func WriteHistory(dir string, h *History) (commit.Draft, error) {
	if err := h.check(); err != nil {
		return commit.Draft{}, err
	}
	d := commit.Draft{Kind: Kind, SchemaFingerprint: HistoryFingerprint(), Dir: dir}
	customers, err := writeWhole(dir, Customers, h.Customers, toShopperRow)
	if err != nil {
		return d, err
	}
	products, err := writeWhole(dir, Products, h.Products, toListingRow)
	if err != nil {
		return d, err
	}
	interactions, err := h.writeEntries(dir)
	d.Files = append(append(interactions, customers...), products...)
	return d, err
}

// writeEntries cuts the interactions into files.
func (h *History) writeEntries(dir string) ([]commit.File, error) {
	p := parts{dir: dir, dataSet: Interactions}
	rest := h.Entries
	for {
		part := rest[:min(len(rest), groupsInFile*groupRows)]
		if rest = rest[len(part):]; len(part) == 0 && len(p.files) > 0 {
			return p.files, nil
		}
		if err := p.open(); err != nil {
			return nil, err
		}
		w := parquet.NewGenericWriter[historyRow](io.Writer(p.file),
			&parquet.WriterConfig{CreatedBy: createdBy, Compression: &parquet.Snappy, DataPageVersion: 1,
				MaxRowsPerRowGroup: groupRows,
				Schema:             parquet.NewSchema(Interactions, parquet.SchemaOf(historyRow{}))})
		batch := make([]historyRow, 0, batchRows)
		for i := range part {
			if batch = append(batch, h.row(&part[i])); len(batch) == batchRows || i == len(part)-1 {
				if _, err := w.Write(batch); err != nil {
					return nil, errors.Join(p.wrap("write", err), p.abandon())
				}
				batch = batch[:0]
			}
		}
		p.wrote(len(part))
		if err := p.finish(w.Close()); err != nil {
			return nil, err
		}
	}
}

func (h *History) row(e *Entry) historyRow {
	r := historyRow{Product: h.Products[e.Product].ID, Kind: h.Kinds[e.Kind]}
	if e.Customer != None {
		r.Customer = &h.Customers[e.Customer].ID
	}
	if e.Session != None {
		r.Session = &h.Sessions[e.Session]
	}
	if e.Order != None {
		r.OrderID = &h.Orders[e.Order]
	}
	if e.Value == e.Value {
		r.Value = &e.Value
	}
	if e.Quantity == e.Quantity {
		r.Quantity = &e.Quantity
	}
	if e.At != NoTime {
		r.At = &e.At
	}
	return r
}

// check refuses what a later reader could not store or find.
func (h *History) check() error {
	for _, c := range h.Customers {
		if err := checkTexts(column{"id", &c.ID}, column{"country", &c.Country}, column{"city", &c.City}); err != nil {
			return fmt.Errorf("%s: %w", shop.CustomerID(c.ID), err)
		}
	}
	for _, p := range h.Products {
		if err := checkTexts(column{"id", &p.ID}, column{"name", &p.Name}, column{"brand", &p.Brand},
			column{"currency", &p.Currency}, column{"url", &p.URL}, column{"image", &p.Image}); err != nil {
			return fmt.Errorf("%s: %w", shop.ProductName(p.ID), err)
		}
	}
	points := func(i int32, size int, none bool) bool { return i >= 0 && int(i) < size || none && i == None }
	for i := range h.Entries {
		e := &h.Entries[i]
		if !points(e.Product, len(h.Products), false) || !points(e.Customer, len(h.Customers), true) ||
			!points(e.Session, len(h.Sessions), true) || !points(e.Order, len(h.Orders), true) ||
			int(e.Kind) >= len(h.Kinds) || e.Customer == None && e.Session == None {
			return fmt.Errorf("%w: interaction %d", ErrOrphan, i)
		}
	}
	return nil
}

// ReadHistory loads a training set of interactions whole, as Read does.
func ReadHistory(ctx context.Context, repo *commit.Repository, m commit.Manifest, scratchDir string) (_ *History,
	err error) {
	if m.Kind != Kind || !IsHistory(m) {
		return nil, fmt.Errorf("read training set %s: %w", m.Run, ErrSchema)
	}
	dir, err := os.MkdirTemp(scratchDir, "kindred-read-*")
	if err != nil {
		return nil, fmt.Errorf("read training set %s: %w", m.Run, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := reader{ctx: ctx, repo: repo, manifest: m, dir: dir}
	h := &History{Run: m.Run, ContentHash: m.ContentHash, Entries: make([]Entry, 0, m.Rows(Interactions))}
	err = readRows(r, Customers, func(row shopperRow) error {
		h.Customers = append(h.Customers, row.shopper())
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = readRows(r, Products, func(row listingRow) error {
		h.Products = append(h.Products, row.listing())
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(h.Customers, func(a, b shop.Shopper) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(h.Products, func(a, b shop.Listing) int { return strings.Compare(a.ID, b.ID) })
	if err := h.readEntries(r); err != nil {
		return nil, err
	}
	return h, h.check()
}

// numbers gives each of some texts the next number.
type numbers struct {
	known map[string]int32
	texts []string
}

func (n *numbers) of(text *string) int32 {
	if text == nil {
		return None
	}
	i, ok := n.known[*text]
	if !ok {
		i = int32(len(n.texts))
		own := strings.Clone(*text)
		n.known[own], n.texts = i, append(n.texts, own)
	}
	return i
}

func (h *History) readEntries(r reader) error {
	customers, products := make(map[string]int32, len(h.Customers)), make(map[string]int32, len(h.Products))
	for i, c := range h.Customers {
		customers[c.ID] = int32(i)
	}
	for i, p := range h.Products {
		products[p.ID] = int32(i)
	}
	sessions, orders, kinds := numbers{known: map[string]int32{}}, numbers{known: map[string]int32{}},
		numbers{known: map[string]int32{}}
	err := readRows(r, Interactions, func(row historyRow) error {
		e := Entry{At: NoTime, Customer: None, Session: sessions.of(row.Session), Order: orders.of(row.OrderID),
			Value: NoNumber(), Quantity: NoNumber()}
		product, known := products[row.Product]
		if e.Product = product; row.Customer != nil {
			customer, ok := customers[*row.Customer]
			e.Customer, known = customer, known && ok
		}
		kind := kinds.of(&row.Kind)
		if !known || kind > math.MaxUint8 {
			return fmt.Errorf("%w: product %q, kind %q", ErrOrphan, row.Product, row.Kind)
		}
		e.Kind = uint8(kind)
		if row.Value != nil {
			e.Value = *row.Value
		}
		if row.Quantity != nil {
			e.Quantity = *row.Quantity
		}
		if row.At != nil {
			e.At = *row.At
		}
		h.Entries = append(h.Entries, e)
		return nil
	})
	h.Sessions, h.Orders, h.Kinds = sessions.texts, orders.texts, kinds.texts
	return err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func toShopperRow(c shop.Shopper) shopperRow {
	return shopperRow{ID: c.ID, Country: optional(c.Country), City: optional(c.City),
		Attributes: toAttributes(c.Attributes)}
}

func (r shopperRow) shopper() shop.Shopper {
	return shop.Shopper{ID: r.ID, Country: given(r.Country), City: given(r.City), Attributes: fromAttributes(r.Attributes)}
}

func toListingRow(p shop.Listing) listingRow {
	return listingRow{ID: p.ID, Name: p.Name, Categories: p.Categories, Brand: optional(p.Brand), Price: (*int64)(p.Price),
		Currency: optional(p.Currency), Available: p.Available, Stock: p.Stock, URL: optional(p.URL),
		Image: optional(p.Image), Attributes: toAttributes(p.Attributes)}
}

func (r listingRow) listing() shop.Listing {
	p := shop.Listing{ID: r.ID, Name: r.Name, Brand: given(r.Brand), Price: (*shop.Money)(r.Price),
		Currency: given(r.Currency), Available: r.Available, Stock: r.Stock, URL: given(r.URL), Image: given(r.Image),
		Attributes: fromAttributes(r.Attributes)}
	if len(r.Categories) > 0 {
		p.Categories = slices.Clone(r.Categories) // the reader uses its memory again
	}
	return p
}

func toAttributes(all []shop.Attribute) (rows []attributeRow) {
	for _, a := range all {
		rows = append(rows, attributeRow(a))
	}
	return rows
}

func fromAttributes(rows []attributeRow) (all []shop.Attribute) {
	for _, r := range rows {
		all = append(all, shop.Attribute(r))
	}
	return all
}
