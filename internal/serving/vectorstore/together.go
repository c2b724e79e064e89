package vectorstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
)

// createTogether makes the table of what is bought together, in the form of those of neighbours. A product without
// any has no row.
func createTogether(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	if v.Together == nil {
		return nil
	}
	table := schema + `.together`
	if err := execAll(ctx, tx, `CREATE TABLE `+table+` (key integer NOT NULL, items integer[] NOT NULL, weights real[] NOT NULL)`,
		`COMMENT ON TABLE `+table+` IS '`+markOf(v.ID)+`'`); err != nil {
		return err
	}
	if err := copyLists(ctx, tx, table, v.Together); err != nil {
		return fmt.Errorf("copy what is bought together: %w", err)
	}
	return execAll(ctx, tx, `ALTER TABLE `+table+` ADD PRIMARY KEY (key)`, `ANALYZE `+table)
}

// queueTogether adds the question to a batch: whether the version knows the product, and what is bought together with
// it.
func (m *model) queueTogether(batch *pgx.Batch, q recommend.ListQuery, exclude []string, limit int,
	read func(pgx.Rows) error, known *bool) {
	batch.Queue(`SELECT EXISTS (SELECT FROM `+m.schema+`.item WHERE code = $1)`, q.Product).
		QueryRow(func(row pgx.Row) error { return row.Scan(known) })
	if !m.together {
		return
	}
	batch.Queue(`SELECT i.code, n.weight FROM `+m.schema+`.together t, unnest(t.items, t.weights) AS n (key, weight)
		JOIN `+m.schema+`.item i ON i.key = n.key WHERE t.key = (SELECT key FROM `+m.schema+`.item WHERE code = $1)
		AND i.code <> ALL ($2) AND `+m.shown(`i`)+` ORDER BY n.weight DESC, i.code LIMIT `+strconv.Itoa(limit), q.Product,
		exclude).Query(read)
}
