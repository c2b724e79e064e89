package vectorstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Customers lists the ids of customers that a version knows, ascending: of at most so many that come after an id.
// Errors: ErrVersionGone.
func (s *Store) Customers(ctx context.Context, version, after string, most int) (ids []string, err error) {
	m, err := s.model(ctx, version)
	if err != nil {
		return nil, err
	}
	var batch pgx.Batch
	batch.Queue(`SELECT id FROM `+m.schema+`.customer WHERE id > $1 ORDER BY id LIMIT `+strconv.Itoa(most), after).
		Query(func(rows pgx.Rows) (err error) {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	if err := m.send(ctx, s.pool, &batch); err != nil {
		s.forget(err, version)
		return nil, fmt.Errorf("list customers of version %s: %w", version, err)
	}
	return ids, nil
}
