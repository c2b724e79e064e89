package feedback

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestDuckDBMayBeARelativePath: the program runs in another folder than the one it was named in.
func TestDuckDBMayBeARelativePath(t *testing.T) { //nolint:paralleltest // changes the folder
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	if err := os.WriteFile("duckdb", []byte("#!/bin/sh\ncat > said\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := queryDuckDB(t.Context(), "./duckdb", dir, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "said")); err != nil {
		t.Errorf("it did not run in its folder: %v", err)
	}
	for _, absent := range []string{"./no-duckdb", "no-duckdb-on-the-path"} {
		if err := queryDuckDB(t.Context(), absent, dir, ""); !errors.Is(err, ErrNoDuckDB) {
			t.Errorf("%s: %v", absent, err)
		}
	}
}
