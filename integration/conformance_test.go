package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kindred/integration/conformance"
)

// TestLocalStackIsAsTheParityPageSays looks for the quick rows of docs/parity.md on the LocalStack
// that the other tests use. When it fails, LocalStack, its plugins or a row changed: `make
// conformance` writes the page anew.
func TestLocalStackIsAsTheParityPageSays(t *testing.T) {
	t.Parallel()
	s := mustStack(t)
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(repository, "docs", "parity.md"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := conformance.Read(string(page))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(table.Columns, func(title string) bool { return strings.HasPrefix(title, "LocalStack ") })
	if at < 0 {
		t.Fatalf("the page has no column of LocalStack: %q", table.Columns)
	}
	probe, err := conformance.BuildProbe(t.Context(), repository, s.FunctionOS)
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.DeleteFunc(conformance.Behaviours(), func(b conformance.Behaviour) bool { return b.Slow })
	cells, err := conformance.Run(t.Context(), conformance.Target{Config: s.AWS, Probe: probe}, rows, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range table.Differences(table.Columns[at], cells) {
		t.Error(difference)
	}
}
