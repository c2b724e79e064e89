package integration

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/job/publish"
	"kindred/internal/serving/vectorstore/migration"
)

// mustBegin begins a transaction of another session. What it says waits two seconds for a lock.
func mustBegin(t *testing.T, dsn string) (exec func(statement string) error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		_ = conn.Close(ctx)
	})
	exec = func(statement string) error {
		_, err := conn.Exec(t.Context(), statement)
		return err
	}
	if err := exec("BEGIN; SET LOCAL lock_timeout = '2s'"); err != nil {
		t.Fatal(err)
	}
	return exec
}

// mustWait waits until a session waits for a lock in the database, or done is closed.
func mustWait(t *testing.T, dsn string, done <-chan error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var waiting bool
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting || len(done) > 0 {
			return
		}
	}
	t.Fatal("nobody waits for a lock")
}

const sayProduct = `INSERT INTO kindred.product_state (id, first_seen, changed, written) VALUES ('p', now(), now(), '{}')`

// TestMigratingStaysOutOfTheWayOfACatalogue, which locks the last catalogue and then the state of products,
// whether or not migrating makes triggers. If it makes none, it does not wait for who writes that state.
func TestMigratingStaysOutOfTheWayOfACatalogue(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	for _, lost := range []string{"", "DROP TRIGGER new_products_deleted ON kindred.product_state"} {
		if lost != "" {
			execPostgres(t, t.Context(), dsn, lost)
		}
		catalogue := mustBegin(t, dsn)
		if err := catalogue("SELECT FROM kindred.catalogue FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- migration.Up(t.Context(), store) }()
		mustWait(t, dsn, done)
		if err := catalogue(sayProduct + "; ROLLBACK"); err != nil {
			t.Errorf("after %q, a catalogue: %v", lost, err)
			_ = catalogue("ROLLBACK")
		}
		if err := <-done; err != nil {
			t.Errorf("after %q, migrating: %v", lost, err)
		}
	}
	writer := mustBegin(t, dsn)
	if err := writer(sayProduct); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := migration.Up(ctx, store); err != nil {
		t.Errorf("while the state of products is written: %v", err)
	}
}

// TestAHeldLockEndsWithASentence holds, in another session, each lock that a command of publish may
// meet. The command ends, and says what it waited for.
func TestAHeldLockEndsWithASentence(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	const first, second = "m320000000000001", "m320000000000002"
	for i, id := range []string{first, second} {
		versions := trained{randomVersion(id, uint64(i+1), 40, 6, 4)}
		if _, err := publish.Run(t.Context(), publish.Database{Store: store}, versions, "", byTest); err != nil {
			t.Fatal(err)
		}
	}
	p := mustPrograms(t, map[string]string{"PGVECTOR_DSN": dsn, "ARTIFACTS_BUCKET": "file://" + t.TempDir(),
		"WAIT_LOCK": "1s"}, "publish")
	for _, held := range []string{"LOCK TABLE kindred.live IN ACCESS EXCLUSIVE MODE",
		"LOCK TABLE kindred.model_version IN ACCESS EXCLUSIVE MODE", "LOCK TABLE model_" + first +
			".item IN ACCESS EXCLUSIVE MODE",
		"SELECT pg_advisory_lock(x'6b696e6472656401'::bigint)",
		"LOCK TABLE public.kindred_migration IN ACCESS EXCLUSIVE MODE"} {
		for _, args := range [][]string{{"list"}, {first}, {"rollback"}, {"canary", first}, {"migrate"}} {
			t.Run(held+" and "+args[0], func(t *testing.T) {
				locker, err := pgx.Connect(t.Context(), dsn)
				if err != nil {
					t.Fatal(err)
				}
				defer locker.Close(context.Background())
				if _, err := locker.Exec(t.Context(), "BEGIN; "+held); err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), endTime)
				defer stop()
				cmd := exec.CommandContext(ctx, filepath.Join(p.folder, "publish"), args...)
				cmd.Env = p.env
				out, err := cmd.CombinedOutput()
				if ctx.Err() != nil {
					t.Fatalf("it still waits after %v: %s", endTime, out)
				}
				if err == nil { // it does not need this lock; all need the pointer
					if strings.Contains(held, "kindred.live") {
						t.Error("it ended without an error")
					}
					return
				}
				if !strings.Contains(string(out), "holds a lock that this needs") {
					t.Errorf("%v, and it says:\n%s", err, out)
				}
			})
		}
	}
}

// TestPruningWaitsForTheRegistryFirst, like loading and a promotion that replaces the shop, and then for who
// writes the state of products. If that takes long, the version stays, without an error, until the next time.
func TestPruningWaitsForTheRegistryFirst(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	const oldest = "m320000000000001"
	for i, id := range []string{oldest, "m320000000000002", "m320000000000003"} {
		mustGoLive(t, store, randomVersion(id, uint64(i+1), 40, 6, 4))
	}
	const write = "SELECT kindred.lock_products(false)"
	promotion := mustBegin(t, dsn)
	if err := promotion("SELECT FROM kindred.model_version FOR SHARE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := store.Prune(t.Context(), 0); done <- err }()
	mustWait(t, dsn, done)
	if err := promotion(write); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil { // it waits for a promotion as long as ever
		t.Error("it did not wait")
	}
	if err := promotion("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	writer := mustBegin(t, dsn)
	if err := writer(write); err != nil {
		t.Fatal(err)
	}
	if dropped, err := store.Prune(t.Context(), 0); err != nil || len(dropped) > 0 {
		t.Errorf("while the state is written it dropped %v: %v", dropped, err)
	}
	if err := writer("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if dropped, err := store.Prune(t.Context(), 0); err != nil || len(dropped) != 1 || dropped[0] != oldest {
		t.Errorf("then it dropped %v: %v", dropped, err)
	}
}
