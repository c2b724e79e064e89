package vectorstore

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
)

// Since is how far a reader of product_state has come. The zero value is the beginning.
type Since struct {
	generation  string // the transaction that last deleted rows
	transaction string // the oldest one that was running: a number
	Facts       bool   // the reader wants the facts of products too
}

// Changes are what was written to product_state since a reader looked last.
type Changes struct {
	// Whole says that this is all there is: what the reader knew before is forgotten.
	Whole bool
	// Shown says of products whether they can be bought; nil: only a version's own stock says it. A reader
	// may be told again what it knows already.
	Shown map[string]*bool
	// New are products that a version does not know, by the version, with their vectors. Of these too a
	// reader may be told again.
	New map[string][]recommend.NewItem
	// Facts are those of a version's products that were written, by the version; none of them if Whole.
	Facts map[string][]Stated
	Next  Since
}

// changesSQL has two bounds, because the planner takes one alone for a third of the table, and may read
// all of it. No transaction has the number of the second one. It is a constant: after a restore, rows
// have numbers that this server has not reached yet, until `publish migrate` stamps them anew.
const changesSQL = `SELECT k.generation::text, pg_snapshot_xmin(pg_current_snapshot())::text, c.ids, c.shown
	FROM kindred.catalogue k, LATERAL (
		SELECT array_agg(s.id) AS ids, array_agg(s.available AND NOT s.hidden) AS shown FROM kindred.product_state s
		WHERE s.transaction >= CASE WHEN k.generation::text = $1 THEN $2::text::xid8 ELSE '0' END
			AND s.transaction < '18446744073709551615'::xid8) c`

// TrafficSince is Traffic, with what has changed in the state of products, and of those that some versions
// do not know, in one round trip. Calls that overlap see the database at different moments: what the
// earlier one tells must not be noted after what the later one does. Errors: ErrNotMigrated too.
func (s *Store) TrafficSince(ctx context.Context, since Since, versions []string) (recommend.Traffic, Changes, error) {
	var p traffic
	var c Changes
	var batch pgx.Batch
	batch.Queue(trafficSQL).QueryRow(p.scan)
	batch.Queue(changesSQL, since.generation, since.from()).QueryRow(func(row pgx.Row) error { return c.scan(row, since) })
	if err := s.queueNew(ctx, &batch, since, versions, &c); err != nil {
		return recommend.Traffic{}, c, err
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return recommend.Traffic{}, c, trafficFault(err)
	}
	found, err := p.models(ctx, s.current, s.placements())
	return found, c, err
}

// State is all of TrafficSince but the traffic.
func (s *Store) State(ctx context.Context, since Since, versions []string) (c Changes, err error) {
	var batch pgx.Batch
	batch.Queue(changesSQL, since.generation, since.from()).QueryRow(func(row pgx.Row) error { return c.scan(row, since) })
	if err := s.queueNew(ctx, &batch, since, versions, &c); err != nil {
		return c, err
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return c, fmt.Errorf("read the state of products: %w", unmigrated(err))
	}
	return c, nil
}

// queueNew asks for the new products of versions, and for the facts of those that they know. It comes after the
// cursor's statement: what it sees is not older.
func (s *Store) queueNew(ctx context.Context, batch *pgx.Batch, since Since, versions []string, c *Changes) error {
	c.New, c.Facts = map[string][]recommend.NewItem{}, map[string][]Stated{}
	for _, version := range versions {
		m, err := s.model(ctx, version)
		if err != nil {
			return err
		}
		m.queueNewItems(batch, since, c.New)
		m.queueFacts(batch, since, c.Facts)
	}
	return nil
}

func (since Since) from() string {
	if since.transaction == "" {
		return "0"
	}
	return since.transaction
}

// before compares transactions: decimal numbers without leading zeros.
func before(a, b string) bool { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) < 0 }

func (c *Changes) scan(row pgx.Row, since Since) error {
	var ids []string
	var shown []*bool
	if err := row.Scan(&c.Next.generation, &c.Next.transaction, &ids, &shown); err != nil {
		return err
	}
	c.Whole = c.Next.generation != since.generation
	if before(c.Next.transaction, since.from()) { // the database was restored: look at everything next time
		c.Next = Since{}
	}
	c.Next.Facts = since.Facts
	c.Shown = make(map[string]*bool, len(ids))
	for i, id := range ids {
		c.Shown[id] = shown[i]
	}
	return nil
}

// Rated is a product that a customer has rated or bought, by its number, and until when that hides it, in
// unix microseconds.
type Rated struct {
	Item  int32
	Until int64
}

// Numbered says whether the version's products have numbers: whether Rated can tell what it knows.
// Products is how many there are.
func (s *Store) Numbered(ctx context.Context, version string) (products int, numbered bool, err error) {
	m, err := s.model(ctx, version)
	if err != nil {
		return 0, false, err
	}
	return m.items, m.form == formDense, nil
}

// Rated reads what customers have rated, those that the version knows, in one round trip. It is for
// versions that are Numbered. Errors: ErrVersionGone.
func (s *Store) Rated(ctx context.Context, live *recommend.Model, customers []string) (map[string][]Rated, error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return nil, err
	}
	until := `NULL::bigint[]`
	if m.until {
		until = `ARRAY(SELECT CASE WHEN isfinite(r.until) THEN (extract(epoch FROM r.until) * 1000000)::bigint
			WHEN r.until < now() THEN 0 END FROM ` + m.schema + `.rated r WHERE r.customer = c.key ORDER BY r.item)`
	}
	var batch pgx.Batch
	found := make(map[string][]Rated, len(customers))
	batch.Queue(`SELECT c.id, ARRAY(SELECT r.item FROM `+m.schema+`.rated r WHERE r.customer = c.key ORDER BY r.item), `+
		until+` FROM `+m.schema+`.customer c WHERE c.id = ANY($1)`, customers).Query(func(rows pgx.Rows) error {
		var id string
		var items []int32
		var untils []*int64
		_, err := pgx.ForEachRow(rows, []any{&id, &items, &untils}, func() error {
			rated := make([]Rated, len(items))
			for i, item := range items {
				rated[i] = Rated{item, math.MaxInt64}
				if m.until && untils[i] != nil {
					rated[i].Until = *untils[i]
				}
			}
			found[id] = rated
			return nil
		})
		return err
	})
	if err := m.send(ctx, s.pool, &batch); err != nil {
		s.forget(err, live.Version)
		return nil, fmt.Errorf("look up what %d customers have rated: %w", len(customers), err)
	}
	return found, nil
}
