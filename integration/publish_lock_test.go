package integration

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kindred/internal/job/publish"
)

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
