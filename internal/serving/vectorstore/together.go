package vectorstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
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
