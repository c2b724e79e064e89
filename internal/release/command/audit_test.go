package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/platform/program"
)

// Without a database the audit never says that there is nothing: it says what was not checked, and has an
// exit code of its own. What it finds wins over what it could not check.
func TestTheExitCodes(t *testing.T) {
	clean, hit := t.TempDir(), t.TempDir()
	for folder, name := range map[string]string{clean: "made-up", hit: "boto3"} {
		text := `{"id": "PYSEC-2026-1", "affected": [{"package": {"name": "` + name + `", "ecosystem": "PyPI"},
			"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}`
		if err := os.WriteFile(filepath.Join(folder, "PYSEC-2026-1.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"none":  {nil, 4, []string{"Go modules (--db), Python packages (--python-db)"}},
		"half":  {[]string{"--python-db", clean}, 4, []string{"Go modules (--db)."}},
		"found": {[]string{"--python-db", hit}, 1, []string{"boto3", "PYSEC-2026-1", "NOT CHECKED", "Go modules (--db)"}},
	} {
		var out, problems bytes.Buffer
		code := program.Run(t.Context(), "release", Description, &Command{}, append([]string{"audit"}, c.args...), &out,
			&problems)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, c.code, problems.String())
		}
		for _, want := range c.says {
			if !strings.Contains(problems.String(), want) {
				t.Errorf("%s: %q does not say %q", name, problems.String(), want)
			}
		}
		if strings.Contains(out.String(), "Go modules: nothing found") {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}
