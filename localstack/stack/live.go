package stack

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
)

// ExamineLive checks whether the live version can answer: it runs the queries of serving under the
// functions' role. A database in which nothing was published yet is healthy.
func ExamineLive(ctx context.Context, readerDSN string) Finding {
	return finding(ctx, "the live version answers",
		"`make batch` publishes again, which loads what is damaged and repeats grants; "+
			"`make deploy` migrates the vector database", func(ctx context.Context) (string, error) {
			return askLive(ctx, readerDSN)
		})
}

func askLive(ctx context.Context, readerDSN string) (string, error) {
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: readerDSN})
	if err != nil {
		return "", err
	}
	defer store.Close()
	traffic, err := store.Check(ctx)
	switch {
	case errors.Is(err, vectorstore.ErrNotMigrated):
		left, lookErr := leftVersions(ctx, readerDSN)
		if lookErr != nil || left > 0 {
			return "", errors.Join(fmt.Errorf("%w, although it holds %d model versions", err, left), lookErr)
		}
		return "none is live yet", nil
	case errors.Is(err, vectorstore.ErrNoLiveVersion):
		return "none is live yet", nil
	case err != nil:
		return "", err
	case traffic.CanaryFault != nil:
		return "", fmt.Errorf("the live version %s answers, but its canary %s does not: %w",
			traffic.Live.Version, traffic.Canary.Version, traffic.CanaryFault)
	}
	how := ""
	if traffic.Live.ByPopularity() {
		how = ", by popularity, because no model has passed the gate"
	}
	return "version " + traffic.Live.Version + " answers as the serving role asks" + how, nil
}

// leftVersions counts the model versions whose tables are there, whatever the registry says.
func leftVersions(ctx context.Context, dsn string) (versions int, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'model\_%'`).
		Scan(&versions); err != nil {
		return 0, fmt.Errorf("look for model versions: %w", err)
	}
	return versions, nil
}
