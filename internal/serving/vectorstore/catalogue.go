package vectorstore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
)

var (
	// ErrOlderReading says that a newer reading of the shop's products was written first.
	ErrOlderReading = errors.New("a newer reading of the catalogue was written already")
	// ErrAhead says that a reading has a time that is yet to come: nothing that is said before then would
	// count.
	ErrAhead = errors.New("the reading is ahead of the vector database's clock")
	// ErrShrink says that a catalogue lacks too many of the products that were there before.
	ErrShrink = errors.New("the catalogue shrank")
)

// Product is a product as the shop lists it. Empty values are not known.
type Product struct {
	ID         string
	Available  bool
	Stock      *int64
	Price      string // decimal, at most four places
	Currency   string
	Categories []string
	Brand      string
	Name       string
	URL        string
	Image      string
	Attributes map[string]any // texts, numbers and flags
}

// value is what the product has in a field, in the form of activity.ProductWrite.
func (p *Product) value(f activity.Field) any {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch f {
	case activity.FieldAvailable:
		return p.Available
	case activity.FieldStock:
		if p.Stock != nil {
			return *p.Stock
		}
	case activity.FieldHidden:
		return false
	case activity.FieldPrice:
		return text(p.Price)
	case activity.FieldCurrency:
		return text(p.Currency)
	case activity.FieldCategories:
		if len(p.Categories) > 0 {
			return p.Categories
		}
	case activity.FieldBrand:
		return text(p.Brand)
	case activity.FieldName:
		return text(p.Name)
	case activity.FieldURL:
		return text(p.URL)
	case activity.FieldImage:
		return text(p.Image)
	case activity.FieldAttributes:
		if len(p.Attributes) > 0 {
			return p.Attributes
		}
	}
	return nil
}

// hashBytes is how much of a field's hash a digest keeps: of 10^12 changes, one in ten million readings
// would miss one.
const hashBytes = 8

// appendDigest appends a hash of each field. Availability and stock change together: a new stock says
// again that the product can be bought.
func (p *Product) appendDigest(digest []byte) ([]byte, error) {
	var text []byte
	for _, f := range activity.Fields() {
		text = text[:0]
		switch value := p.value(f).(type) {
		case string:
			text = append(append(text, '"'), value...)
		case bool:
			text = strconv.AppendBool(text, value)
		default:
			var err error
			if text, err = json.Marshal(value); err != nil { // a number that is not finite
				return nil, fmt.Errorf("product %q: %s: %w", p.ID, f, err)
			}
		}
		switch {
		case f == activity.FieldStock:
			text = strconv.AppendBool(text, p.Available)
		case f == activity.FieldAvailable && p.Stock != nil:
			text = strconv.AppendInt(text, *p.Stock, 10)
		}
		hash := sha256.Sum256(text)
		digest = append(digest, hash[:hashBytes]...)
	}
	return digest, nil
}

// Catalogue is one consistent reading of all products that a shop lists.
type Catalogue struct {
	Shop     string    // its name
	ReadAt   time.Time // when the reading's snapshot was begun, or a little before
	Products []Product // each id once
}

// CatalogueOptions say what a catalogue may do.
type CatalogueOptions struct {
	// MaxShrink is the share of the known products, and of those that could be bought, that may be missing.
	// 1: no limit.
	MaxShrink float64
	// ReplaceShop forgets the state of another shop's products.
	ReplaceShop bool
}

// CatalogueResult is what a catalogue changed.
type CatalogueResult struct {
	Products  int `json:"products"`  // that the shop lists
	Available int `json:"available"` // of them, those that can be bought
	New       int `json:"new"`       // listed for the first time, or again
	Changed   int `json:"changed"`   // listed before, with other values
	Gone      int `json:"gone"`      // listed or published before, and hidden now
	Values    int `json:"values"`    // that were written
}

// WriteCatalogue writes what differs from the catalogue that was written before, with its own ReadAt as
// the time, and hides the products that are gone: those of that catalogue and those of the loaded
// versions. What a later write has said of a field stays. All of it is one transaction, which may be
// repeated. Errors: ErrShrink, ErrAhead, ErrOtherShop and ErrOlderReading, with
// nothing written.
func (s *Store) WriteCatalogue(ctx context.Context, c Catalogue, o CatalogueOptions) (result CatalogueResult,
	err error) {
	c.ReadAt = c.ReadAt.Truncate(time.Microsecond)
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		before, err := readCatalogue(ctx, tx, c, o)
		if err != nil {
			return err
		}
		d, err := before.compare(c)
		if err != nil {
			return err
		}
		if err := before.shrunk(d.result, o.MaxShrink); err != nil {
			return err
		}
		result = d.result
		return d.write(ctx, tx, c)
	})
	if err != nil {
		return CatalogueResult{}, fmt.Errorf("write catalogue: %w", err)
	}
	return result, nil
}

// catalogued is what was known before a catalogue.
type catalogued struct {
	available int               // products of the catalogue before that could be bought
	digests   map[string]string // of its products; empty: of products that are gone
	published []string          // ids in the loaded versions of the shop of which no catalogue knew
}

// readCatalogue reads it, and locks out other catalogues until the transaction ends.
func readCatalogue(ctx context.Context, tx pgx.Tx, c Catalogue, o CatalogueOptions) (before catalogued, err error) {
	var shop, live string
	var at *time.Time
	var now time.Time
	err = tx.QueryRow(ctx, `SELECT coalesce(shop, ''), read_at, available, clock_timestamp() FROM kindred.catalogue FOR UPDATE`).
		Scan(&shop, &at, &before.available, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotMigrated // migrating makes the row again
	}
	if err != nil {
		return before, fmt.Errorf("read the last catalogue: %w", unmigrated(err))
	}
	if ahead := c.ReadAt.Sub(now); ahead > activity.MaxAhead {
		return before, fmt.Errorf("%w by %v: set the clock of the machine that runs `publish catalogue`, or of the "+
			"database; nothing was written", ErrAhead, ahead.Round(time.Second))
	}
	err = tx.QueryRow(ctx, `SELECT coalesce((SELECT `+shopSQL+
		` FROM kindred.model_version v JOIN kindred.live USING (version)), '')`).Scan(&live)
	switch {
	case err != nil:
		return before, err
	case envconfig.OtherShop(live, c.Shop):
		return before, fmt.Errorf("%w: the shop %s is live there, and these are the products of the shop %s", ErrOtherShop,
			live, c.Shop)
	case envconfig.OtherShop(shop, c.Shop) && !o.ReplaceShop:
		return before, fmt.Errorf("%w: it has the products of the shop %s, and these are of the shop %s; to give up the "+
			"former, run once with --replace-shop", ErrOtherShop, shop, c.Shop)
	case envconfig.OtherShop(shop, c.Shop):
		before.available = 0
		if err := forgetState(ctx, tx); err != nil {
			return before, err
		}
	case at != nil && !at.Before(c.ReadAt):
		return before, fmt.Errorf("%w: it began at %s, this one at %s", ErrOlderReading, at.UTC().Format(time.RFC3339Nano),
			c.ReadAt.UTC().Format(time.RFC3339Nano))
	}
	rows, err := tx.Query(ctx, `SELECT id, digest FROM kindred.catalogue_product`)
	if err != nil {
		return before, err
	}
	before.digests = make(map[string]string, len(c.Products))
	var id string
	var digest []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &digest}, func() error {
		before.digests[id] = string(digest)
		return nil
	})
	if err == nil {
		before.published, err = publishedNow(ctx, tx, c.Shop)
	}
	return before, err
}

// publishedNow calls publishedOnly, and calls it again, five times in all, if a version was dropped after it
// had been listed. It gives back the locks on the versions' tables.
func publishedNow(ctx context.Context, tx pgx.Tx, shop string) (ids []string, err error) {
	const tries = 5
	for range tries {
		err = undone(ctx, tx, func(tx pgx.Tx) (err error) {
			ids, err = publishedOnly(ctx, tx, shop)
			return err
		})
		if !undefined(err) {
			break
		}
	}
	return ids, err
}

// forgetState forgets the products and the customers of another shop.
func forgetState(ctx context.Context, tx pgx.Tx) error {
	return execAll(ctx, tx, `UPDATE kindred.catalogue SET shop = NULL, read_at = NULL, products = 0, available = 0`,
		`DELETE FROM kindred.product_state`, `DELETE FROM kindred.catalogue_product`, `DELETE FROM kindred.interaction`,
		`DELETE FROM kindred.customer_state`, `DELETE FROM kindred.visit`, `DELETE FROM kindred.trend`,
		`DELETE FROM kindred.trend_event`)
}

// forgetOtherShop forgets the state of another shop than that of the version that goes live: of the last
// catalogue's, or of the version that was live.
func forgetOtherShop(ctx context.Context, tx pgx.Tx, move Promotion) error {
	shop, err := shopOf(ctx, tx, move.To)
	if err != nil || shop == "" {
		return err
	}
	before, err := shopOf(ctx, tx, move.From)
	if err != nil {
		return err
	}
	var migrated, other bool
	err = tx.QueryRow(ctx, `SELECT to_regclass('kindred.trend') IS NOT NULL`).Scan(&migrated)
	if err != nil || !migrated {
		return err
	}
	err = tx.QueryRow(ctx, `SELECT coalesce(bool_or(shop <> $1), false) FROM kindred.catalogue`, shop).Scan(&other)
	if err != nil || !other && !envconfig.OtherShop(before, shop) {
		return err
	}
	return forgetState(ctx, tx)
}

// publishedOnly lists the products of the shop's loaded versions that no catalogue has known. It leaves
// out a version whose table is gone.
func publishedOnly(ctx context.Context, tx pgx.Tx, shop string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT version FROM kindred.model_version v WHERE state = 'ready'
		AND `+shopSQL+` IN ('', $1) AND to_regclass('model_' || version || '.item') IS NOT NULL`, shop)
	if err != nil {
		return nil, err
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var items []string
	for _, version := range versions {
		schema, err := schemaOf(version)
		if err != nil {
			return nil, err
		}
		items = append(items, `SELECT code FROM `+schema+
			`.item i WHERE NOT EXISTS (SELECT FROM kindred.catalogue_product c WHERE c.id = i.code)`)
	}
	if len(items) == 0 {
		return nil, nil
	}
	if rows, err = tx.Query(ctx, strings.Join(items, ` UNION `), unnamed); err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// difference is what a catalogue has to write.
type difference struct {
	result  CatalogueResult
	writes  []activity.ProductWrite
	ids     []string // of changed digests
	digests [][]byte
}

func (d *difference) add(w activity.ProductWrite, digest []byte) {
	d.writes, d.ids, d.digests = append(d.writes, w), append(d.ids, w.ID), append(d.digests, digest)
	d.result.Values += len(w.Values)
}

// compare finds what differs.
func (before catalogued) compare(c Catalogue) (d difference, err error) {
	d.result.Products = len(c.Products)
	order := activity.Order{At: c.ReadAt}
	listed := make(map[string]bool, len(c.Products))
	var digest []byte
	for i := range c.Products {
		p := &c.Products[i]
		listed[p.ID] = true
		if p.Available {
			d.result.Available++
		}
		if digest, err = p.appendDigest(digest[:0]); err != nil {
			return d, err
		}
		was := before.digests[p.ID]
		if was == string(digest) {
			continue
		}
		w := activity.ProductWrite{ID: p.ID, Order: order, Values: map[activity.Field]any{}}
		for n, f := range activity.Fields() {
			from, to := n*hashBytes, (n+1)*hashBytes
			if len(was) < to || was[from:to] != string(digest[from:to]) {
				w.Values[f] = p.value(f)
			}
		}
		if was == "" {
			d.result.New++
		} else {
			d.result.Changed++
		}
		d.add(w, slices.Clone(digest))
	}
	gone := func(id string) {
		d.result.Gone++
		d.add(activity.ProductWrite{ID: id, Order: order,
			Values: map[activity.Field]any{activity.FieldHidden: true}}, []byte{})
	}
	for id, was := range before.digests {
		if was != "" && !listed[id] {
			gone(id)
		}
	}
	for _, id := range before.published {
		if !listed[id] {
			gone(id)
		}
	}
	return d, nil
}

// shrunk refuses a catalogue that lacks too much, or has nothing that can be bought.
func (before catalogued) shrunk(now CatalogueResult, most float64) error {
	known := len(before.published)
	for _, digest := range before.digests {
		if digest != "" {
			known++
		}
	}
	var problems []string
	if float64(now.Gone) > most*float64(known) {
		problems = append(problems, fmt.Sprintf("it lacks %d of the %d products that were known", now.Gone, known))
	}
	if float64(now.Available) < (1-most)*float64(before.available) {
		problems = append(problems, fmt.Sprintf("%d products can be bought, and %d could be before", now.Available,
			before.available))
	}
	if now.Available == 0 && most < 1 {
		problems = append(problems, "no product can be bought, so nothing could be recommended")
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; nothing was written; look at the shop, then run once with --accept-shrink", ErrShrink,
		strings.Join(problems, "; "))
}

// manyRows is from how many products that come or go on the planner's statistics are renewed at once.
const manyRows = 1000

func (d difference) write(ctx context.Context, tx pgx.Tx, c Catalogue) error {
	if _, err := WriteProducts(ctx, tx, d.writes); err != nil {
		return err
	}
	if len(d.ids) > 0 {
		_, err := tx.Exec(ctx, `INSERT INTO kindred.catalogue_product (id, digest) SELECT * FROM unnest($1::text[], $2::bytea[])
			ON CONFLICT (id) DO UPDATE SET digest = excluded.digest`, d.ids, d.digests)
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE kindred.catalogue SET shop = $1, read_at = $2, products = $3, available = $4`,
		c.Shop, c.ReadAt, d.result.Products, d.result.Available)
	if err == nil && d.result.New+d.result.Gone >= manyRows {
		_, err = tx.Exec(ctx, `SELECT kindred.analyze_state()`)
	}
	return err
}
