package integration

import (
	"errors"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/job/publish"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
)

// TestAdmittedReaderReadsEveryVersionAndWritesNothing is what the functions are on AWS. The server
// here knows no login by IAM, so the role gets a password from the test, and the role that RDS has
// is made by it.
func TestAdmittedReaderReadsEveryVersionAndWritesNothing(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	role := "reader_" + randomName()
	store := mustVectorStore(t, dsn)
	first, second := randomVersion("m2000000000000a1", 1, 30, 5, 4), randomVersion("m2000000000000a2", 2, 30, 5, 4)
	mustPublish := func(versions trained) {
		t.Helper()
		if _, err := publish.Run(t.Context(), publish.Database{Store: store}, versions, "", byTest); err != nil {
			t.Fatal(err)
		}
	}
	mustPublish(trained{first})
	execPostgres(t, t.Context(), dsn, `DO $$ BEGIN CREATE ROLE rds_iam; EXCEPTION WHEN duplicate_object THEN END $$`)
	for range 2 { // the second time finds all as it should be
		if err := migration.AdmitReader(t.Context(), store, role); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, dsn, "DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	mustPublish(trained{first, second}) // a schema that was not there

	execPostgres(t, t.Context(), dsn, "ALTER ROLE "+role+" PASSWORD 'kindred'")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	u.User = url.UserPassword(role, "kindred")
	asReader, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer asReader.Close()
	answers, err := recommend.New(asReader).Batch(t.Context(), []*activity.Event{{SessionID: "a"}}) // as the function does
	if err != nil || len(answers) != 1 || len(answers[0].Items) == 0 {
		t.Errorf("answers %+v, %v", answers, err)
	}
	reader, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(t.Context())
	var member bool
	if err := reader.QueryRow(t.Context(),
		"SELECT pg_has_role('rds_iam', 'member')").Scan(&member); err != nil || !member {
		t.Errorf("not a member of rds_iam: %v", err)
	}
	for _, version := range []string{first.ID, second.ID} {
		var items int
		if err := reader.QueryRow(t.Context(), "SELECT count(*) FROM model_"+version+".item").Scan(&items); err != nil ||
			items != 30 {
			t.Errorf("version %s: %d items, %v", version, items, err)
		}
	}
	for _, statement := range []string{"UPDATE kindred.live SET moves = 7", "DELETE FROM model_" + second.ID + ".item",
		"DROP SCHEMA model_" + first.ID + " CASCADE",
		"CREATE SCHEMA model_own", "INSERT INTO kindred.promotion (actor, action, to_version, reason) VALUES ('x', " +
			"'promote', 'x', 'x')"} {
		_, err := reader.Exec(t.Context(), statement)
		var state *pgconn.PgError
		if !errors.As(err, &state) || state.Code != "42501" {
			t.Errorf("%s: %v, want insufficient privilege", statement, err)
		}
	}
}
