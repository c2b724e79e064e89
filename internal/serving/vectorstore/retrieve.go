package vectorstore

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
	"golang.org/x/sync/errgroup"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

const (
	// maxCompared is how many excluded products are compared one by one with each row that an index
	// finds. A session with more of them is answered by a scan; such sessions are rare.
	maxCompared = 64
	// minSplit is how many questions make a second connection worthwhile: PostgreSQL then works with a
	// second core.
	minSplit = 32
)

// Lookup reads products and customers of the version, and what is kept of customers and sessions, in one
// round trip. Errors: ErrVersionGone.
func (s *Store) Lookup(ctx context.Context, live *recommend.Model, codes, customers,
	sessions []string, until activity.Order) (recommend.Lookup, error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return recommend.Lookup{}, err
	}
	found, err := m.lookUp(ctx, s.pool, codes, customers, sessions, until)
	if err != nil {
		s.forget(err, live.Version)
		return recommend.Lookup{}, fmt.Errorf("look up %d products and %d customers: %w", len(codes), len(customers), err)
	}
	return found, nil
}

// lookUp is Lookup on a connection.
func (m *model) lookUp(ctx context.Context, db querier, codes, customers, sessions []string,
	until activity.Order) (recommend.Lookup, error) {
	found := recommend.Lookup{
		Items:     make(map[string]recommend.Item, len(codes)),
		Customers: make(map[string]recommend.Customer, len(customers)),
		Bought:    map[string][]recommend.Bought{},
		Said:      map[string]recommend.Said{},
		Kept:      recommend.Kept{Sessions: map[string][]activity.Visit{}, Customers: map[string][]activity.Visit{}},
	}
	var batch pgx.Batch
	if len(codes) > 0 {
		batch.Queue(m.itemsSQL(), codes).Query(
			func(rows pgx.Rows) error {
				var code string
				var it recommend.Item
				var v pgvector.Vector
				var items []int32
				var weights []float32
				_, err := pgx.ForEachRow(rows, []any{&code, &it.Number, &it.Likes, &v, &items, &weights}, func() error {
					it.Vector, it.Near = v.Slice(), listOf(items, weights)
					found.Items[code] = it
					return nil
				})
				return err
			})
	}
	if len(customers) > 0 {
		sql, arg := m.customersSQL(customers)
		batch.Queue(sql, arg).Query(
			func(rows pgx.Rows) error {
				var id string
				var c recommend.Customer
				var v pgvector.Vector
				var items []int32
				var weights []float32
				_, err := pgx.ForEachRow(rows, []any{&id, &c.Origin, &v, &items, &weights}, func() error {
					c.Vector, c.Near = v.Slice(), listOf(items, weights)
					found.Customers[id] = c
					return nil
				})
				return err
			})
	}
	if len(customers) > 0 && m.state.interactions {
		m.queueBought(&batch, customers, found.Bought)
	}
	if len(customers) > 0 && m.state.customers {
		queueSaid(&batch, customers, found.Said)
	}
	if len(customers) > 0 && m.state.visits {
		if err := queueKept(&batch, customersVisitsSQL, customers, until, found.Kept.Customers); err != nil {
			return found, err
		}
	}
	if len(sessions) > 0 && m.state.visits {
		if err := queueKept(&batch, sessionsSQL, sessions, until, found.Kept.Sessions); err != nil {
			return found, err
		}
	}
	return found, m.send(ctx, db, &batch)
}

// Retrieve answers all searches and neighbour questions in one round trip, in their order, each
// best first; equals are in the order of their codes. A large batch uses two connections at the same
// time. The query itself leaves out what a search excludes, so that it finds as many products as its
// limit (at most 1000) whenever so many are left. Where the index gives up earlier, or too many of the
// best products cannot be bought, an exact scan follows, in a second round trip for all such
// questions. An unknown product has no neighbours.
// Errors: ErrVersionGone.
func (s *Store) Retrieve(ctx context.Context, live *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return nil, nil, err
	}
	if len(searches)+len(neighbours) < minSplit {
		candidates, similar, err := m.retrieve(ctx, s.pool, searches, neighbours)
		if err != nil {
			s.forget(err, live.Version)
			return nil, nil, fmt.Errorf("retrieve %d searches and %d neighbour lists: %w", len(searches), len(neighbours), err)
		}
		return candidates, similar, nil
	}
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	half, n := len(searches)/2, len(neighbours)/2
	work, ctx := errgroup.WithContext(ctx)
	part := func(fromSearch, toSearch, fromNeighbours, toNeighbours int) {
		work.Go(func() error {
			c, near, err := m.retrieve(ctx, s.pool, searches[fromSearch:toSearch], neighbours[fromNeighbours:toNeighbours])
			copy(candidates[fromSearch:], c)
			copy(similar[fromNeighbours:], near)
			return err
		})
	}
	part(0, half, 0, n)
	part(half, len(searches), n, len(neighbours))
	if err := work.Wait(); err != nil {
		s.forget(err, live.Version)
		return nil, nil, fmt.Errorf("retrieve %d searches and %d neighbour lists: %w", len(searches), len(neighbours), err)
	}
	return candidates, similar, nil
}

// querier is a connection, a pool of them or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// retrieve is Retrieve on one connection.
func (m *model) retrieve(ctx context.Context, to querier, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	freshCandidates := make([][]recommend.Candidate, len(searches)) // which the version does not know
	freshSimilar := make([][]recommend.Similar, len(neighbours))
	var batch, again pgx.Batch
	few := make([]bool, len(searches)) // too few were found
	if m.efSearch > 0 && len(searches)+len(neighbours) > 0 {
		batch.Queue(`SELECT set_config('hnsw.ef_search', $1, false)`, strconv.Itoa(m.efSearch))
	}
	for i, search := range searches {
		if err := m.queueSearch(&batch, search, &candidates[i], &freshCandidates[i], &few[i]); err != nil {
			return nil, nil, fmt.Errorf("build search %d: %w", i, err)
		}
	}
	near := byScan // how neighbours are asked
	if m.efSearch > 0 {
		near = byIndex
	}
	for i, n := range neighbours {
		if n.Rules != nil {
			if err := m.queueRuledNeighbours(&batch, n, &similar[i], &freshSimilar[i]); err != nil {
				return nil, nil, fmt.Errorf("build neighbours %d: %w", i, err)
			}
			continue
		}
		if err := n.Check(); err != nil {
			return nil, nil, fmt.Errorf("build neighbours %d: %w", i, err)
		}
		batch.Queue(m.neighboursSQL(n.Limit, near), n.Code).Query(func(rows pgx.Rows) (err error) {
			similar[i], err = readSimilar(rows)
			return err
		})
		m.queueNewNeighbours(&batch, n, &freshSimilar[i])
	}
	if err := m.send(ctx, to, &batch); err != nil {
		return candidates, similar, err
	}
	for i, search := range searches {
		if few[i] {
			sql, args, err := m.searchSQL(search, wholeScan)
			if err != nil {
				return nil, nil, fmt.Errorf("build search %d: %w", i, err)
			}
			again.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
				candidates[i], _, err = readCandidates(rows)
				return err
			})
		}
	}
	for i, n := range neighbours {
		if n.Rules == nil && m.again(near, len(similar[i]), n.Limit) {
			again.Queue(m.neighboursSQL(n.Limit, wholeScan), n.Code).Query(func(rows pgx.Rows) (err error) {
				similar[i], err = readSimilar(rows)
				return err
			})
		}
	}
	if err := m.send(ctx, to, &again); err != nil {
		return candidates, similar, err
	}
	for i := range searches {
		candidates[i] = append(candidates[i], freshCandidates[i]...)
	}
	for i, n := range neighbours {
		similar[i] = recommend.Nearest(similar[i], freshSimilar[i], min(n.Limit, recommend.MaxLimit))
	}
	return candidates, similar, nil
}

// queueSearch adds a search to a batch; found gets what it finds, fresh the new products, and few whether these
// are too few.
func (m *model) queueSearch(batch *pgx.Batch, search recommend.Search, found, fresh *[]recommend.Candidate,
	few *bool) error {
	if search.Rules != nil {
		return m.queueRuled(batch, search, found, fresh)
	}
	by := m.way(search)
	sql, args, err := m.searchSQL(search, by)
	if err != nil {
		return err
	}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		var n int
		*found, n, err = readCandidates(rows)
		*few = m.again(by, n, search.Limit)
		return err
	})
	m.queueNewSearch(batch, search, fresh)
	return nil
}

// way is how a search is asked first.
func (m *model) way(s recommend.Search) way {
	if m.efSearch > 0 && s.Vector != nil && len(s.Exclude) <= maxCompared {
		return byIndex
	}
	return byScan
}

// readCandidates reads what a search found, and how many of them count against its limit.
func readCandidates(rows pgx.Rows) (found []recommend.Candidate, n int, err error) {
	found = []recommend.Candidate{}
	var c recommend.Candidate
	var v pgvector.Vector
	var indexed *int64 // how many of them an index found, of a search that adds to scores
	_, err = pgx.ForEachRow(rows, []any{&c.Item, &c.Code, &c.Score, &v, &indexed}, func() error {
		c.Vector = v.Slice()
		found = append(found, c)
		return nil
	})
	n = len(found)
	if indexed != nil {
		n = int(*indexed)
	}
	return found, n, err
}

func readSimilar(rows pgx.Rows) ([]recommend.Similar, error) {
	found := []recommend.Similar{}
	var near recommend.Similar
	_, err := pgx.ForEachRow(rows, []any{&near.Code, &near.Distance}, func() error {
		if !math.IsNaN(float64(near.Distance)) { // a zero vector has no direction; NaN sorts last
			found = append(found, near)
		}
		return nil
	})
	return found, err
}

// send runs the batch, pipelined, and reads all its answers.
func (m *model) send(ctx context.Context, to querier, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return questionFault(to.SendBatch(ctx, batch).Close(), m.Version)
}

// searchSQL builds the statement of one search. The limit is part of the text: if it were a parameter,
// the planner would guess a tenth of the table.
func (m *model) searchSQL(s recommend.Search, by way) (sql string, args []any, err error) {
	if err := s.Check(m.Solver.Dim); err != nil {
		return "", nil, err
	}
	exclude := s.Exclude
	if exclude == nil {
		exclude = []string{} // nil would be NULL, and <> ALL (NULL) is true of no row
	}
	args = []any{exclude}
	left, customer := m.excludedSQL(s.Customer, by == byIndex)
	if customer != nil {
		args = append(args, customer)
		if m.until {
			args = append(args, s.At)
		}
	}
	if s.Vector != nil && len(s.Added) > 0 && m.form == formDense {
		sql, args = m.addedSQL(s, left, args, by)
		return sql, args, nil
	}
	key := `i.key`
	if m.form == formNumbered {
		key = `0`
	}
	bought := m.filter(by, s.Limit)
	from := ` FROM ` + m.schema + `.item i WHERE ` + bought.inside + left
	if s.Vector == nil {
		return `SELECT key, code, positives::real, embedding, NULL::bigint FROM (SELECT ` + key +
			` AS key, i.code, i.positives, i.embedding` + bought.column + from + ` ORDER BY i.positives DESC, i.code` +
			bought.limit +
			`) found` + bought.outside + ` ORDER BY positives DESC, code` + bought.last, args, nil
	}
	args = append(args, pgvector.NewVector(s.Vector))
	distance := `i.embedding <#> $` + strconv.Itoa(len(args))
	order := ` ORDER BY ` + distance // an index knows this order only
	if by != byIndex {
		distance = `(` + distance + `) + 0` // keeps an index out that would give up early
		order = ` ORDER BY distance, i.code`
	}
	// The score is computed outside: inside, next to the distance, it would be a second product for each
	// row scanned, a tenth of the time at 10,000 x 64. It is subtracted, not negated: no score is -0.
	return `SELECT key, code, (0 - distance)::real, embedding, NULL::bigint FROM (SELECT ` + key +
		` AS key, i.code, i.embedding, ` + distance + ` AS distance` + bought.column + from +
		order + bought.limit + `) found` + bought.outside + ` ORDER BY distance, code` + bought.last, args, nil
}

func (m *model) neighboursSQL(limit int, by way) string {
	item := m.schema + `.item`
	distance := `i.embedding <=> ` + m.origin()
	left := ` AND i.code <> $1 AND EXISTS ` + m.origin()
	if m.near != nil && m.Solver.SimilarWeight > 0 {
		return m.similarSQL(distance, left, limit, by)
	}
	order := distance
	if by != byIndex {
		distance = `(` + distance + `) + 0`
		order = `distance, i.code`
	}
	bought := m.filter(by, limit)
	return `SELECT code, distance::real FROM (SELECT i.code, ` + distance + ` AS distance` + bought.column + ` FROM ` + item + ` i
			WHERE ` + bought.inside + left + `
			ORDER BY ` + order + bought.limit + `) found` + bought.outside + ` ORDER BY distance, code` + bought.last
}
