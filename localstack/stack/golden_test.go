package stack

import (
	"os"
	"testing"

	"kindred/internal/platform/golden"
)

// TestGoldenState holds the files of the state folder that others read: the environment, and the
// passwords, which a later version must find again.
func TestGoldenState(t *testing.T) {
	t.Parallel()
	s, err := Open(Config{State: t.TempDir(), Resources: map[string]string{
		"ACTIVITY_STREAM": "kindred-activity", "LAKE_BUCKET": "kindred-lake"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.folder.state, 0o755); err != nil {
		t.Fatal(err)
	}
	given := `{"postgres":"POSTGRES-PASSWORD","mysql":"MYSQL-PASSWORD","reader":"READER-PASSWORD"}`
	if err := writeSecret(s.folder.secrets(), []byte(given)); err != nil {
		t.Fatal(err)
	}
	if s.secrets, err = s.folder.loadSecrets(); err != nil {
		t.Fatal(err)
	}
	s.ports = map[string]int{emulatorName: 4566, postgresName: 54320, mysqlName: 33306}
	if err := writeEnv(s.folder.env(), s.env()); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"env": s.folder.env(), "secrets.json": s.folder.secrets()} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, error %v", name, info.Mode(), err)
		}
		if name == "secrets.json" {
			text = golden.Indent(t, text)
		}
		golden.Equal(t, name, text)
	}
}
