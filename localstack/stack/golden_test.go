package stack

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kindred/internal/platform/golden"
)

// TestGoldenState holds the files of the state folder that others read, or that a later version must
// find again.
func TestGoldenState(t *testing.T) {
	t.Parallel()
	s, err := Open(Config{State: t.TempDir(), Resources: map[string]string{
		"ACTIVITY_STREAM": "kindred-activity", "LAKE_BUCKET": "kindred-lake"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.folder.run(""), 0o755); err != nil {
		t.Fatal(err)
	}
	given := `{"postgres":"POSTGRES-PASSWORD","mysql":"MYSQL-PASSWORD","reader":"READER-PASSWORD",` +
		`"writer":"WRITER-PASSWORD","erase":"ERASE-SECRET"}`
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
	compose := docker{s}.composeEnv()
	compose["COMPOSE_PROJECT_NAME"] = "kindred-(8 hex digits)" // of the folder's name
	process := record{PID: 4711, Born: "(boot id)/81537", Port: 33306, Started: time.Date(2026, 3, 1, 12, 0, 0,
		0, time.UTC)}
	if err := errors.Join(writeEnv(s.folder.composeEnv(), compose), s.folder.writeRecord(mysqlName, process)); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"env": s.folder.env(), "secrets.json": s.folder.secrets(),
		"compose.env": s.folder.composeEnv(), "process.json": s.folder.run(mysqlName + ".json")} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, error %v", name, info.Mode(), err)
		}
		if filepath.Ext(name) == ".json" {
			text = golden.Indent(t, text)
		}
		golden.Equal(t, name, text)
	}
}
