// Package golden compares what a writer wrote with a file that is kept in the repository, so that a
// persisted format changes only on purpose. `go test PACKAGE -update` rewrites the file (`make golden`
// rewrites all of them). It owns the comparison and nothing else; docs/formats.md shows the files,
// and a test in docs/ holds the two together. It is for tests only.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update makes Equal write what it was given.
var update = flag.Bool("update", false, "rewrite the golden files with what the code writes now")

// Equal fails the test when got differs from testdata/name of the package under test.
func Equal(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s (-want +got); if the change is meant, run the test with -update:\n%s", path,
			cmp.Diff(string(want), string(got)))
	}
}

// Indent lays JSON out for people. The order of the fields stays. It fails the test when data is
// not JSON.
func Indent(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(data), "", "  "); err != nil {
		t.Fatalf("indent %q: %v", data, err)
	}
	return append(out.Bytes(), '\n')
}
