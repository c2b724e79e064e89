package audit

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const repository = "../../.."

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A made-up entry for a package that the program imports is found, and one for another is not.
func TestGoModules(t *testing.T) {
	t.Parallel()
	const about = `{"schema_version": "1.3.1", "id": "GO-2026-9999", "modified": "2026-12-01T00:00:00Z", "summary": "Made up",
		"affected": [{"package": {"name": "MODULE", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER",
		"events": [{"introduced": "0"}]}], "ecosystem_specific": {"imports": [{"path": "MODULE/errgroup"}]}}],
		"database_specific": {"url": "https://example.com"}}`
	for module, want := range map[string]error{"golang.org/x/sync": ErrFound, "golang.org/x/other": nil} {
		database := t.TempDir()
		write(t, database, "GO-2026-9999.json", strings.ReplaceAll(about, "MODULE", module))
		var out bytes.Buffer
		err := GoModules(t.Context(), repository, database, &out, "./jobs/verify")
		if !errors.Is(err, want) || (want != nil) != strings.Contains(out.String(), "GO-2026-9999") {
			t.Errorf("%s: %v\n%s", module, err, out.String())
		}
	}
	for _, database := range []string{"/nowhere", "file:///nowhere", t.TempDir()} {
		err := GoModules(t.Context(), repository, database, &bytes.Buffer{})
		if err == nil || errors.Is(err, ErrFound) || !strings.Contains(err.Error(), "has neither index/modules.json") {
			t.Errorf("no database in %s: %v", database, err)
		}
	}
}

func TestPythonPackages(t *testing.T) {
	t.Parallel()
	requirements, err := os.ReadFile(repository + "/localstack/stack/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	const asn1 = `"affected": [{"package": {"name": "ASN1Crypto", "ecosystem": "PyPI"}, ` // 1.5.1 is pinned
	ranges := func(events string) string {
		return asn1 + `"ranges": [{"type": "ECOSYSTEM", "events": [` + events + `]}]}]`
	}
	for name, c := range map[string]struct {
		entry string
		found bool
	}{
		"all":             {ranges(`{"introduced": "0"}`), true},
		"fixed later":     {ranges(`{"introduced": "1.5"}, {"fixed": "1.10"}`), true},
		"fixed in it":     {ranges(`{"introduced": "0"}, {"fixed": "1.5.1"}`), false},
		"last":            {ranges(`{"introduced": "0"}, {"last_affected": "1.5.1"}`), true},
		"before":          {ranges(`{"introduced": "0"}, {"last_affected": "1.5.0"}`), false},
		"again":           {ranges(`{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.5.1rc1"}`), true},
		"not yet":         {ranges(`{"introduced": "1.5.1.post1"}`), false},
		"listed":          {asn1 + `"versions": ["2004d", "1.5.1"]}]`, true},
		"listed others":   {asn1 + `"versions": ["1.5.0", "1.5.2"]}]`, false},
		"withdrawn":       {`"withdrawn": "2026-01-01T00:00:00Z", ` + ranges(`{"introduced": "0"}`), false},
		"another package": {strings.Replace(ranges(`{"introduced": "0"}`), "ASN1Crypto", "asn1", 1), false},
	} {
		database := t.TempDir()
		write(t, database, "PYSEC-2026-1.json", `{"id": "PYSEC-2026-1", "summary": "Made up", `+c.entry+`}`)
		var out bytes.Buffer
		err := PythonPackages(requirements, database, &out)
		if c.found != errors.Is(err, ErrFound) || !c.found && err != nil ||
			c.found != strings.Contains(out.String(), "asn1crypto 1.5.1: PYSEC-2026-1") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	if err := PythonPackages(requirements, t.TempDir(), &bytes.Buffer{}); err == nil || errors.Is(err, ErrFound) {
		t.Errorf("an empty database: %v", err)
	}
	if err := PythonPackages(nil, t.TempDir(), &bytes.Buffer{}); err == nil || errors.Is(err, ErrFound) {
		t.Errorf("no requirements: %v", err)
	}
}

// A secret of one commit is found, also after another commit has removed it, and not printed.
func TestSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com"},
			args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git: %v %s", err, out)
		}
	}
	git("init", "--quiet")
	if err := os.Mkdir(filepath.Join(dir, ".ci"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".ci/audit.mod", ".ci/audit.sum", "go.mod", ".gitleaks.toml"} {
		data, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, string(data))
	}
	write(t, dir, "a.txt", "nothing\n")
	git("add", "a.txt")
	git("commit", "--quiet", "-m", "one")
	if err := Secrets(t.Context(), dir, &bytes.Buffer{}); err != nil {
		t.Errorf("without a secret: %v", err)
	}
	secret := "AKIA" + "Q3EGRIWX7B5TNZLK" // in two parts: gitleaks reads this file too
	write(t, dir, "a.txt", "aws_key = \""+secret+"\"\n")
	git("commit", "--quiet", "-am", "two")
	write(t, dir, "a.txt", "nothing\n")
	git("commit", "--quiet", "-am", "three")
	var out bytes.Buffer
	if err := Secrets(t.Context(), dir, &out); !errors.Is(err, ErrFound) || strings.Contains(out.String(), secret) {
		t.Errorf("with a secret: %v\n%s", err, out.String())
	}
}
