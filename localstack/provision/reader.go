package provision

import (
	"context"

	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
)

// AdmitReader brings the vector database at dsn up to date. The functions log in as the role. It
// gets the right to read every model version, including later ones, and no right to write.
func AdmitReader(ctx context.Context, dsn, role string) error {
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return err
	}
	return migration.AdmitReader(ctx, store, role)
}
