package integration

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"kindred/internal/job/publish"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
)

// readerPassword is that of the serving role in these tests.
const readerPassword = "kindred"

// served is a database with a live version, its owner, who is no superuser, and its serving role.
type served struct {
	admin, owner, reader string // addresses
	role                 string
	store                *vectorstore.Store
	versions             trained
}

// serving makes a database as on RDS: the owner may make roles, and is no superuser.
func (s Stack) serving(ctx context.Context, t *testing.T) (d served, drop func()) {
	t.Helper()
	name := randomName()
	owner, database := "owner_"+name, "kindred_"+name
	d.role = "reader_" + name
	address := func(user, password, database string) string {
		u, err := url.Parse(s.PGVectorDSN)
		if err != nil {
			t.Fatal("parse PostgreSQL address")
		}
		if u.Path = "/" + database; user != "" {
			u.User = url.UserPassword(user, password)
		}
		return u.String()
	}
	d.admin, d.owner, d.reader = address("", "", database), address(owner, "x", database),
		address(d.role, readerPassword, database)
	execPostgres(t, ctx, s.PGVectorDSN, "CREATE ROLE "+owner+" LOGIN CREATEROLE PASSWORD 'x'")
	// Another test makes the role that RDS has; there, the master may grant it.
	execPostgres(t, ctx, s.PGVectorDSN,
		`DO $$ BEGIN CREATE ROLE rds_iam; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$`)
	execPostgres(t, ctx, s.PGVectorDSN, "GRANT rds_iam TO "+owner+" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
	execPostgres(t, ctx, s.PGVectorDSN, "CREATE DATABASE "+database+" OWNER "+owner)
	execPostgres(t, ctx, d.admin, "CREATE EXTENSION vector; CREATE ROLE "+d.role+" LOGIN PASSWORD '"+
		readerPassword+"'; GRANT "+
		d.role+" TO "+owner+" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: d.owner})
	if err != nil {
		t.Fatal(err)
	}
	d.store = store
	return d, func() {
		store.Close()
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, s.PGVectorDSN, "DROP DATABASE "+database+" WITH (FORCE)")
		execPostgres(t, ctx, s.PGVectorDSN, "DROP OWNED BY "+owner+"; DROP ROLE "+d.role+"; DROP ROLE "+owner)
	}
}

// goLive migrates, admits the serving role and publishes a version.
func (d *served) goLive(ctx context.Context) error {
	if err := migration.Up(ctx, d.store); err != nil {
		return err
	}
	if err := migration.AdmitReader(ctx, d.store, d.role); err != nil {
		return err
	}
	d.versions = trained{randomVersion("m310000000000001", 1, 40, 6, 4)}
	_, err := d.publish(ctx)
	return err
}

func (d *served) publish(ctx context.Context) (publish.Result, error) {
	return publish.Run(ctx, publish.Database{Store: d.store}, d.versions, "", byTest)
}

// answers are those of the serving role, over connections of its own.
func (d *served) answers(ctx context.Context) ([]recommend.Answer, error) {
	reader, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: d.reader})
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	known := activity.ID("101")
	return recommend.New(reader).Batch(ctx, []*activity.Event{
		{SessionID: "a", BrowseHistory: []activity.Browse{{ProductCode: "S000004"},
			{ProductCode: "S000007", InShoppingCart: true}}},
		{SessionID: "b", CustomerID: &known}, {SessionID: "c", Country: "France"}, {SessionID: "d"}})
}

// check is what /health asks.
func (d *served) check(ctx context.Context) error {
	reader, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: d.reader})
	if err != nil {
		return err
	}
	defer reader.Close()
	_, err = reader.Check(ctx)
	return err
}

// TestThePointerMovesOnlyToWhatTheServingRoleCanRead takes rights from the role. The next publish
// gives them back; a promotion without one is refused, and leaves no membership.
func TestThePointerMovesOnlyToWhatTheServingRoleCanRead(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := randomVersion("m310000000000002", 2, 40, 6, 4)
	if _, err := d.store.Load(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{"REVOKE USAGE ON SCHEMA kindred FROM " + d.role, "REVOKE SELECT ON model_" + second.ID +
		".rated FROM " + d.role, "REVOKE USAGE ON SCHEMA model_" + second.ID + " FROM " + d.role} {
		execPostgres(t, t.Context(), d.owner, taken)
		for name, move := range map[string]func() error{
			"promote": func() error { return d.store.Promote(t.Context(), second.ID, byTest) },
			"canary":  func() error { return d.store.StartCanary(t.Context(), second.ID, 0.1, byTest) }} {
			if err := move(); !errors.Is(err, vectorstore.ErrCannotAnswer) || mustLive(t, d.store) != "m310000000000001" {
				t.Errorf("%s after %s: %v", name, taken, err)
			}
		}
		if _, err := d.publish(t.Context()); err != nil { // of the first version: it only repeats the grants
			t.Fatalf("publish after %s: %v", taken, err)
		}
	}
	if err := d.store.Promote(t.Context(), second.ID, byTest); err != nil {
		t.Error(err)
	}
	var member bool
	conn := mustVectorConn(t, d.owner)
	if err := conn.QueryRow(t.Context(), "SELECT pg_has_role($1, 'SET')", d.role).Scan(&member); err != nil || member {
		t.Errorf("the owner is a member of the serving role: %v", err)
	}
	if _, err := d.answers(t.Context()); err != nil {
		t.Error(err)
	}
}

// things lists what of a database can be damaged: tables, columns, indexes, schemas, views,
// functions, and the serving role's rights.
const things = `
	SELECT format('DROP TABLE %s CASCADE', oid::regclass) FROM pg_class WHERE relkind = 'r' AND relnamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('ALTER TABLE %s RENAME TO other', oid::regclass) FROM pg_class WHERE relkind = 'r' AND relnamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('REVOKE ALL ON %s FROM %I', oid::regclass, $1::text) FROM pg_class WHERE relkind = 'r' AND relnamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('DELETE FROM %s', oid::regclass) FROM pg_class WHERE relkind = 'r' AND relnamespace = ANY(SELECT oid FROM ours WHERE nspname <> 'kindred')
	UNION SELECT format('ALTER TABLE %s DROP COLUMN %I CASCADE', attrelid::regclass, attname) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
		WHERE attnum > 0 AND NOT attisdropped AND relkind = 'r' AND relnamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('ALTER TABLE %s RENAME COLUMN %I TO other', attrelid::regclass, attname) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
		WHERE attnum > 0 AND NOT attisdropped AND relkind = 'r' AND relnamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('ALTER INDEX %s RENAME TO other', indexrelid::regclass) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint WHERE contype = 'p' AND connamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM ours
	UNION SELECT format('ALTER SCHEMA %I RENAME TO other', nspname) FROM ours
	UNION SELECT format('REVOKE ALL ON SCHEMA %I FROM %I', nspname, $1::text) FROM ours
	UNION SELECT format('DROP VIEW %s', oid::regclass) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
	UNION SELECT format('ALTER VIEW %s RENAME TO other', oid::regclass) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
	UNION SELECT format('ALTER FUNCTION %s RENAME TO other', oid::regprocedure) FROM pg_proc WHERE pronamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc WHERE pronamespace = ANY(SELECT oid FROM ours)
	UNION SELECT format('ALTER ROLE %I NOLOGIN', $1::text)
	UNION SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database())
	UNION SELECT 'REVOKE USAGE ON SCHEMA public FROM PUBLIC'
	UNION SELECT 'ALTER TYPE public.vector RENAME TO other'
	UNION SELECT 'DROP EXTENSION vector CASCADE'
	ORDER BY 1`

// TestWhatIsDamagedIsSeenOrAnswersRight drops, revokes and renames at random. Then the check of
// /health fails, or the answers are those of before. A publish repairs what is damaged, unless it
// says that it cannot.
func TestWhatIsDamagedIsSeenOrAnswersRight(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	const databases = 25 // each takes two seconds; rapid alone would make 100
	made, failed, seen, right, repaired := 0, false, 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		if made++; made > databases && !failed { // a failure is tried again until it is small
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		ctx := t.Context()
		d, drop := stack.serving(ctx, t)
		defer drop()
		if err := d.goLive(ctx); err != nil {
			rt.Fatal(err)
		}
		want, err := d.answers(ctx)
		if err != nil {
			rt.Fatal(err)
		}
		conn, err := pgx.Connect(ctx, d.admin)
		if err != nil {
			rt.Fatal(err)
		}
		defer conn.Close(ctx)
		var done []string
		for range rapid.IntRange(1, 2).Draw(rt, "damages") {
			rows, err := conn.Query(ctx,
				`WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = 'kindred' OR nspname LIKE 'model%') `+
					things, d.role)
			if err != nil {
				rt.Fatal(err)
			}
			all, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				rt.Fatal(err)
			}
			damage := rapid.SampledFrom(all).Draw(rt, "damage")
			if _, err := conn.Exec(ctx, damage); err != nil {
				continue // the append-only history, or a name that is taken by the damage before
			}
			done = append(done, damage)
		}
		what := strings.Join(done, "; ")
		red := d.check(ctx)
		got, err := d.answers(ctx)
		switch {
		case red != nil:
			seen++
		case err == nil && reflect.DeepEqual(got, want):
			right++
		default:
			rt.Errorf("after %s /health is green, and the answers are %v, %v", what, got, err)
		}
		if _, err := d.publish(ctx); err != nil {
			t.Logf("after %s publish says: %v", what, err)
			return
		}
		repaired++
		if err := d.check(ctx); err != nil {
			rt.Errorf("after %s and a publish without an error: %v", what, err)
		}
		if got, err := d.answers(ctx); err != nil || !reflect.DeepEqual(got, want) {
			rt.Errorf("after %s and a publish without an error: %v", what, err)
		}
	})
	t.Logf("%d damages seen, %d harmless, %d repaired by a publish", seen, right, repaired)
}
