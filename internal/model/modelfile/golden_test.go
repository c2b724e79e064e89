package modelfile_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/golden"
)

// TestGoldenVersion holds every file of a model version: JSON as it is, Parquet by its schema.
func TestGoldenVersion(t *testing.T) {
	t.Parallel()
	read := readFiles(t, version())
	for _, name := range []string{"version.json", "serving.json", "encoder.json", "report.json"} {
		golden.Equal(t, name, read(name))
	}
	golden.Equal(t, "manifest.json", regexp.MustCompile(`"created_at": "[^"]+"`).
		ReplaceAll(golden.Indent(t, read("manifest.json")), []byte(`"created_at": "2026-03-01T12:30:00Z"`)))
	golden.Equal(t, "serving-clicks.json", readFiles(t, withClicks())("serving.json"))
	var schemas []byte
	read = readFiles(t, withNeighbours())
	golden.Equal(t, "serving-near.json", read("serving.json"))
	for _, name := range []string{"items.parquet", "customers.parquet", "near-items.parquet"} {
		data := read(name)
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		schemas = append(schemas, name+": "+file.Schema().String()+"\n"...)
	}
	golden.Equal(t, "schema.golden", schemas)
}

// readFiles writes a version and reads its files.
func readFiles(t *testing.T, v *modelversion.Version) func(name string) []byte {
	t.Helper()
	store := objectstore.NewFolder(t.TempDir())
	if _, err := modelfile.Write(t.Context(), commit.NewRepository(store, "model"), v, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return func(name string) []byte {
		t.Helper()
		data, _, err := objectstore.ReadAll(t.Context(), store, "model/run="+v.ID+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}
