package vectorstore

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/recommend"
)

// maxLimit bounds what one search returns: more than a page ever shows, and it keeps the variety of statements small.
const maxLimit = 1000

// Lookup reads products and customers of the version, in one round trip. Errors: ErrVersionGone.
func (s *Store) Lookup(ctx context.Context, live *recommend.Model, codes []string, customers []int32) (recommend.Lookup, error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return recommend.Lookup{}, err
	}
	found := recommend.Lookup{
		Items:     make(map[string][]float32, len(codes)),
		Customers: make(map[int32]recommend.Customer, len(customers)),
	}
	var batch pgx.Batch
	if len(codes) > 0 {
		batch.Queue(`SELECT code, embedding FROM `+m.schema+`.item WHERE code = ANY($1)`, codes).Query(
			func(rows pgx.Rows) error {
				var code string
				var v pgvector.Vector
				_, err := pgx.ForEachRow(rows, []any{&code, &v}, func() error {
					found.Items[code] = v.Slice()
					return nil
				})
				return err
			})
	}
	if len(customers) > 0 {
		batch.Queue(`SELECT number, origin, embedding FROM `+m.schema+`.customer WHERE number = ANY($1)`, customers).Query(
			func(rows pgx.Rows) error {
				var number int32
				var c recommend.Customer
				var v pgvector.Vector
				_, err := pgx.ForEachRow(rows, []any{&number, &c.Origin, &v}, func() error {
					c.Vector = v.Slice()
					found.Customers[number] = c
					return nil
				})
				return err
			})
	}
	if err := m.send(ctx, s.pool, &batch); err != nil {
		return recommend.Lookup{}, fmt.Errorf("look up %d products and %d customers: %w", len(codes), len(customers), err)
	}
	return found, nil
}

// Retrieve answers all searches and neighbour questions in one round trip, in their order, each best first; ties go by code. What a
// search leaves out is left out in the query, so that it finds as many as its limit, at most 1000, whenever enough others exist.
// An unknown product has no neighbours. Errors: ErrVersionGone.
func (s *Store) Retrieve(ctx context.Context, live *recommend.Model, searches []recommend.Search, neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return nil, nil, err
	}
	candidates, similar, err := m.retrieve(ctx, s.pool, searches, neighbours)
	if err != nil {
		return nil, nil, fmt.Errorf("retrieve %d searches and %d neighbour lists: %w", len(searches), len(neighbours), err)
	}
	return candidates, similar, nil
}

// sender is a connection, a pool of them or a transaction.
type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (m *model) retrieve(ctx context.Context, to sender, searches []recommend.Search, neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	var batch pgx.Batch
	for i, search := range searches {
		sql, args, err := m.searchSQL(search)
		if err != nil {
			return nil, nil, fmt.Errorf("build search %d: %w", i, err)
		}
		batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
			found := make([]recommend.Candidate, 0, min(search.Limit, maxLimit))
			var c recommend.Candidate
			var v pgvector.Vector
			_, err := pgx.ForEachRow(rows, []any{&c.Code, &c.Score, &v}, func() error {
				c.Vector = v.Slice()
				found = append(found, c)
				return nil
			})
			candidates[i] = found
			return err
		})
	}
	for i, n := range neighbours {
		if n.Limit < 1 {
			return nil, nil, fmt.Errorf("build neighbours %d: limit %d is not positive", i, n.Limit)
		}
		batch.Queue(m.neighboursSQL(n.Limit), n.Code).Query(func(rows pgx.Rows) error {
			found := make([]recommend.Similar, 0, min(n.Limit, maxLimit))
			var near recommend.Similar
			_, err := pgx.ForEachRow(rows, []any{&near.Code, &near.Distance}, func() error {
				if !math.IsNaN(float64(near.Distance)) { // a zero vector has no direction; NaN sorts last
					found = append(found, near)
				}
				return nil
			})
			similar[i] = found
			return err
		})
	}
	return candidates, similar, m.send(ctx, to, &batch)
}

// send runs the batch, pipelined, and reads all its answers.
func (m *model) send(ctx context.Context, to sender, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return gone(to.SendBatch(ctx, batch).Close(), m.Version)
}

// searchSQL builds the statement of one search. The limit is part of the text: as a parameter the planner would have to guess it,
// and guesses a tenth of the table.
func (m *model) searchSQL(s recommend.Search) (sql string, args []any, err error) {
	if s.Limit < 1 {
		return "", nil, fmt.Errorf("limit %d is not positive", s.Limit)
	}
	exclude := s.Exclude
	if exclude == nil {
		exclude = []string{} // nil would be NULL, and <> ALL (NULL) is true of no row
	}
	args = []any{exclude}
	rated := ""
	if s.Customer != nil {
		args = append(args, *s.Customer)
		rated = ` AND NOT EXISTS (SELECT 1 FROM ` + m.schema + `.rated r WHERE r.customer = $2 AND r.code = i.code)`
	}
	from := ` FROM ` + m.schema + `.item i WHERE i.quantity_in_stock > 0 AND i.code <> ALL ($1)` + rated
	limit := ` LIMIT ` + strconv.Itoa(min(s.Limit, maxLimit))
	if s.Vector == nil {
		return `SELECT i.code, i.positives::real, i.embedding` + from + ` ORDER BY i.positives DESC, i.code` + limit, args, nil
	}
	if err := checkVector(s.Vector, m.Solver.Dim); err != nil {
		return "", nil, err
	}
	args = append(args, pgvector.NewVector(s.Vector))
	distance := `i.embedding <#> $` + strconv.Itoa(len(args))
	query := `SELECT i.code, i.embedding, ` + distance + ` AS distance` + from + ` ORDER BY ` + distance
	if !m.indexed { // an index knows one order only
		query += `, i.code`
	}
	// The score is made outside: beside the distance it would be a second product per row scanned, a tenth of the time at 10,000 x 64.
	return `SELECT code, (-distance)::real, embedding FROM (` + query + limit + `) found ORDER BY distance, code`, args, nil
}

func (m *model) neighboursSQL(limit int) string {
	item := m.schema + `.item`
	distance := `i.embedding <=> (SELECT embedding FROM ` + item + ` WHERE code = $1)`
	query := `SELECT i.code, ` + distance + ` AS distance FROM ` + item + ` i WHERE i.quantity_in_stock > 0 AND i.code <> $1
		AND EXISTS (SELECT 1 FROM ` + item + ` WHERE code = $1) ORDER BY ` + distance
	if !m.indexed {
		query += `, i.code`
	}
	return `SELECT code, distance::real FROM (` + query + ` LIMIT ` + strconv.Itoa(min(limit, maxLimit)) + `) found ORDER BY distance, code`
}

// checkVector reports a vector that has not dim components or one that is no finite number.
func checkVector(v []float32, dim int) error {
	if len(v) != dim {
		return fmt.Errorf("vector has %d components, want %d", len(v), dim)
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("component %d of the vector is not finite", i)
		}
	}
	return nil
}
