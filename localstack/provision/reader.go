package provision

import (
	"context"

	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
)

// AdmitFunctions brings the vector database at dsn up to date, and admits the roles that the functions
// log in as. Both get the right to read every model version, including later ones. The writer, which is
// recommend's, may also write the state beside the versions.
func AdmitFunctions(ctx context.Context, dsn, reader, writer string) error {
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return err
	}
	if err := migration.AdmitReader(ctx, store, reader); err != nil {
		return err
	}
	return migration.AdmitWriter(ctx, store, writer)
}
