package integration

import (
	"strings"
	"testing"

	"kindred/internal/serving/vectorstore/migration"
	"kindred/localstack/stack"
)

// TestDoctorAsksWhetherTheLiveVersionAnswers damages what serving reads. The doctor must say so, and
// be content where nothing was published yet.
func TestDoctorAsksWhetherTheLiveVersionAnswers(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	examine := func(when string, ok bool, part string) {
		t.Helper()
		f := stack.ExamineLive(t.Context(), d.reader)
		if f.OK != ok || !strings.Contains(f.Detail, part) || f.OK != (f.Advice == "") {
			t.Errorf("%s: %+v, want OK %v and %q", when, f, ok, part)
		}
		if strings.Contains(f.Detail, readerPassword+"@") {
			t.Errorf("%s: the password shows: %s", when, f.Detail)
		}
	}
	examine("an empty database", true, "none is live yet")
	if err := migration.Up(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	examine("a registry that the role was never admitted to", false, "permission denied")
	if err := migration.AdmitReader(t.Context(), d.store, d.role); err != nil {
		t.Fatal(err)
	}
	examine("an empty registry", true, "none is live yet")
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	const version = "m310000000000001"
	examine("a live version", true, "version "+version+" answers")
	for _, damage := range []struct{ does, part string }{
		{"REVOKE SELECT ON model_" + version + ".item FROM " + d.role, version},
		{"REVOKE USAGE ON SCHEMA model_" + version + " FROM " + d.role, version},
		{"REVOKE USAGE ON SCHEMA kindred FROM " + d.role, "permission denied"},
		{"DROP SCHEMA model_" + version + " CASCADE", version},
	} {
		execPostgres(t, t.Context(), d.owner, damage.does)
		examine(damage.does, false, damage.part)
		if _, err := d.publish(t.Context()); err != nil {
			t.Fatalf("publish after %s: %v", damage.does, err)
		}
		examine("published after "+damage.does, true, version)
	}
	execPostgres(t, t.Context(), d.owner, "DROP SCHEMA kindred CASCADE")
	examine("a dropped registry", false, "although it holds 1 model versions")
	execPostgres(t, t.Context(), d.admin, "ALTER ROLE "+d.role+" NOLOGIN")
	examine("a role that may not log in", false, "not permitted to log in")
}
