// Package etl is the logic of the etl job: it joins the ratings of a snapshot with customers and
// products, writes them as a training set and commits it. It owns the join, the limits of the rules
// that rows may break, and what the job tells people. Reading belongs to package mysqlsource, the
// files to trainingset, the appearance at once to commit.
//
// The join is done here and not by the database: customers and products are small and held in
// memory while the ratings stream past, which spares the server two thirds of the work.
package etl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

var (
	// ErrEmpty means that a table has no rows. An empty set never replaces a good one.
	ErrEmpty = errors.New("nothing to train on")
	// ErrQuality means that more rows break a rule than its limit allows.
	ErrQuality = errors.New("the ratings are not good enough")
	// ErrCurrencies means that the products have prices in several currencies.
	ErrCurrencies = errors.New("the products have prices in several currencies, which are not compared or converted")
	// ErrShrink means that the shop lost most of its rows since the current set, or has nothing in
	// stock.
	ErrShrink = errors.New("the shop shrank")
	// ErrDrift means that the source's columns are not those that the current set was made of.
	ErrDrift = errors.New("the shop's columns changed since the current training set")
	// ErrPartition means that partitions do not fit together.
	ErrPartition = errors.New("the partitions make no training set")
)

// source is one consistent view of a shop.
type source interface {
	// Customers returns all customers with a usable key.
	Customers(ctx context.Context) ([]shop.Customer, error)
	// Products returns all products with a usable key.
	Products(ctx context.Context) ([]shop.Product, error)
	// RatingsIn calls rating for each rating of these customers, those of one customer one after the
	// other; an error of rating ends it and is returned. The ids and what RatedAt points to are valid
	// during the call.
	RatingsIn(ctx context.Context, customers mysqlsource.Range, rating func(shop.Rating) error) error
	// EstimateIn is about how many ratings these customers have, for showing progress.
	EstimateIn(ctx context.Context, customers mysqlsource.Range) (int64, error)
	// Faults counts what the readings so far have left out or replaced. The caller adds its own.
	Faults() *shop.Faults
	// SameProducts returns, for each code, the products' codes that the database holds equal to it.
	SameProducts(ctx context.Context, codes []string) (map[string][]string, error)
	// SameCustomers is SameProducts for customers.
	SameCustomers(ctx context.Context, ids []string) (map[string][]string, error)
	// Pieces cuts a range of customers into ranges that adjoin.
	Pieces(ctx context.Context, in mysqlsource.Range) ([]mysqlsource.Range, error)
	// CustomerSplits cuts all customers into at most n ranges that adjoin.
	CustomerSplits(ctx context.Context, n int) ([]mysqlsource.Range, error)
	// Schema asks for the columns that are there, Check for everything that keeps them from being
	// read.
	Schema(ctx context.Context) (mysqlsource.Schema, error)
	Check(ctx context.Context) error
	// Position says which moment of the source this is.
	Position() mysqlsource.Position
}

// Options is what a run may vary.
type Options struct {
	// ScratchDir holds the files until they are committed, in a folder of their own that is
	// removed. Empty: the system's.
	ScratchDir string
	// Limits are the shares of bad rows beyond which the set is refused.
	Limits Limits
	// MaxShrink is the share of its ratings, customers, products or products in stock that the shop
	// may have lost since the current set. 0 or 1: no limit, as is AcceptShrink for this time.
	MaxShrink    float64
	AcceptShrink bool
	// AcceptSchema lets columns be renamed or narrowed since the current set.
	AcceptSchema bool
	// Shop is the shop's name; empty: its database's. ReplaceShop lets the set take the place of
	// another shop's.
	Shop        string
	ReplaceShop bool
	// PruneAge is the age from which folders of runs that were never completed are deleted after a
	// commit. 0: never.
	PruneAge time.Duration
	// Progress is called now and then with the number of ratings read so far, and with about how many
	// there are. Nil: nobody looks.
	Progress func(ratings, expected int64)
	// Preset names the shop system that was recognised.
	Preset string
	// Erased are the persons whom the set leaves out; nil: none.
	Erased *erased.List
	// Now is the clock that future dates are told by. Nil: the system's.
	Now func() time.Time
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// progressRows is how many ratings pass between two calls of Progress: a few a second.
const progressRows = 50_000

// Details is what a training set's manifest remembers of its making.
type Details struct {
	Shop       string             `json:"shop,omitempty"` // its name; none in the sets of earlier programs
	Counts     Counts             `json:"rules,omitzero"`
	History    *HistoryCounts     `json:"interactions,omitempty"` // of a set of interactions, which has no Counts
	Examples   shop.Examples      `json:"examples,omitempty"`     // of broken rules
	Limits     Limits             `json:"limits"`
	Schema     mysqlsource.Schema `json:"schema"` // the source's columns
	Partitions *Consistency       `json:"partitions,omitempty"`
	Preset     string             `json:"preset,omitempty"` // the shop system that was recognised
}

// Outcome is what a run or a commit of partitions led to.
type Outcome struct {
	Manifest commit.Manifest // of the set that is current now
	Details  Details         // of this run
	Changed  bool            // false: the current set was the same already, and nothing was written
	Pruned   commit.Pruned   // what earlier runs left behind and is deleted now
	PruneErr error           // why not all of it; the set is current all the same
}

// Run extracts the source and makes it the current training set. After any error the old one is
// still current.
func Run(ctx context.Context, from source, repo *commit.Repository, o Options) (out Outcome, err error) {
	from = without(from, o.Erased)
	base, err := current(ctx, repo)
	if err != nil {
		return out, err
	}
	before, err := predecessor(base, from.Position().Database, o)
	if err != nil {
		return out, err
	}
	if out.Details.Schema, err = prepare(ctx, from, before, o); err != nil {
		return out, err
	}
	out.Details.Shop, out.Details.Limits = o.name(from.Position().Database), o.Limits
	err = withScratch(o, func(dir string) error {
		draft, err := write(ctx, from, dir, before, o, &out.Details)
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

// write writes the three data sets into dir. before is the predecessor.
func write(ctx context.Context, from source, dir string, before commit.Manifest, o Options,
	d *Details) (draft commit.Draft, err error) {
	j, tables, err := dimensions(ctx, from)
	if err != nil {
		return draft, err
	}
	w := trainingset.NewWriter(dir, keysOf(d.Schema))
	if err := errors.Join(w.Customers(j.customers), w.Products(j.codes)); err != nil {
		return draft, errors.Join(err, w.Abandon())
	}
	draft, d.Counts, err = writeRatings(ctx, from, w, j, mysqlsource.Range{}, o)
	if err != nil {
		return draft, err
	}
	d.Counts.Customers, d.Counts.Products = tables.Customers, tables.Products
	d.Examples = from.Faults().Examples()
	return draft, oneLine(errors.Join(d.Counts.check(o.Limits, d.Examples),
		shrunk(before, rowsOfFiles(draft.Files), *d, o)))
}

// current is the manifest of the current set, or an empty one.
func current(ctx context.Context, repo *commit.Repository) (commit.Manifest, error) {
	m, err := repo.Current(ctx)
	if err != nil && !errors.Is(err, commit.ErrNoCurrent) {
		return m, fmt.Errorf("read current training set: %w", err)
	}
	return m, nil
}

// commit makes a draft the current set. base is the one that was current when the reading began.
func (out *Outcome) commit(ctx context.Context, repo *commit.Repository, draft commit.Draft, at mysqlsource.Position,
	base commit.Manifest) (err error) {
	draft.Source, draft.Details, draft.Base = at, out.Details, &base.Run
	if out.Manifest, out.Changed, err = repo.Commit(ctx, draft); err != nil {
		return fmt.Errorf("commit training set: %w", err)
	}
	return nil
}

// prune collects what killed runs left, after a commit. The set is current by then, so a failure is
// not the run's.
func (out *Outcome) prune(ctx context.Context, repo *commit.Repository, o Options) {
	if o.PruneAge != 0 {
		out.Pruned, out.PruneErr = repo.Prune(ctx, o.PruneAge)
	}
}
