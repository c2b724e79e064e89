package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/platform/envconfig"
)

// TestForeignReadersAgreeOnInteractions reads a training set of interactions with two libraries
// that know nothing of kindred.
func TestForeignReadersAgreeOnInteractions(t *testing.T) {
	t.Parallel()
	readers := mustPython(t, "parquet-readers-1", "duckdb==1.5.5", "pyarrow==26.0.1")
	stack := mustStack(t)
	dsn := stack.mustDatabase(t)
	versions := shopsystem.Versions("woocommerce")
	mustLoadSystem(t, mustOpen(t, dsn), shopsystem.Config{System: "woocommerce", Version: versions[len(versions)-1],
		Prefix: "wp_", Seed: 3, Orders: 200})
	folder := t.TempDir()
	lake{stack: stack, location: "file://" + folder}.mustEtl(t, dsn, "--preset", "auto")
	h, m := mustReadHistory(t, folder)
	rows := map[string]int{"interactions": len(h.Entries), "customers": len(h.Customers), "products": len(h.Products)}
	for _, f := range m.Files {
		file := filepath.Join(folder, envconfig.TrainingSetPrefix, "run="+m.Run, filepath.FromSlash(f.Path))
		read := func(reader string) (lines []string) {
			a := run(t, append(os.Environ(), "PYTHONPATH="+readers), "python3", filepath.Join("readers", "read.py"),
				reader, file)
			for line := range strings.Lines(a.stdout) {
				var values []*string
				if err := json.Unmarshal([]byte(line), &values); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, line)
			}
			if a.code != 0 {
				t.Errorf("%s of %s: exit %d: %s", reader, f.Path, a.code, a.stderr)
			}
			slices.Sort(lines)
			return lines
		}
		one, other := read("duckdb"), read("pyarrow")
		if diff := cmp.Diff(one, other); diff != "" || len(one) != rows[f.DataSet] {
			t.Errorf("%s: %d rows, want %d (-duckdb +pyarrow):\n%s", f.Path, len(one), rows[f.DataSet],
				diff[:min(len(diff), 2000)])
		}
	}
}
