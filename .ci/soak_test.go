package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSoakGoesOnWhereItStoppedAndReportsFailures soaks a repository whose tests fail in the second
// run, and is interrupted before.
func TestSoakGoesOnWhereItStoppedAndReportsFailures(t *testing.T) {
	t.Parallel()
	repository, counter := t.TempDir(), filepath.Join(t.TempDir(), "runs")
	script, err := os.ReadFile("soak")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(repository, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(".ci/soak", string(script), 0o755)
	write(".gitignore", "/.kindred/\n", 0o600)
	write("Makefile", "test:\n\t@echo run >>"+counter+"\n\t@test $$(wc -l <"+counter+") -ne 2 || "+
		"{ echo '--- FAIL: TestSecond'; false; }\n", 0o600)
	run := func(name string, args ...string) (code int, out string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = repository
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t",
			"GIT_COMMITTER_EMAIL=t@example.org", "GIT_CONFIG_GLOBAL=/dev/null")
		text, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(text)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "Begin"}} {
		if code, out := run("git", args...); code != 0 {
			t.Fatalf("git %q: %s", args, out)
		}
	}
	soak := func(args ...string) (int, string) {
		return run(".ci/soak", append([]string{"--load", "2"}, args...)...)
	}
	if code, out := soak("1"); code != 0 || !strings.Contains(out, "passed") {
		t.Errorf("the first run: exit %d: %s", code, out)
	}
	if code, out := soak("3"); code != 1 || strings.Count(out, "passed") != 2 ||
		!strings.Contains(out, "--- FAIL: TestSecond") {
		t.Errorf("three runs: exit %d: %s", code, out)
	}
	if code, _ := soak("3"); code != 1 {
		t.Errorf("three runs that are done already: exit %d", code)
	}
	if runs, err := os.ReadFile(counter); err != nil || strings.Count(string(runs), "run") != 3 {
		t.Errorf("the tests ran %q, %v, want three runs", runs, err)
	}
	for _, wrong := range [][]string{{}, {"x"}, {"--load"}, {"--never", "1"}, {"1", "2"}} {
		if code, out := soak(wrong...); code != 2 || !strings.Contains(out, "Usage") {
			t.Errorf("soak %q: exit %d: %s", wrong, code, out)
		}
	}
}
