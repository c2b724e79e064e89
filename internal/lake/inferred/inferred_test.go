package inferred

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/platform/golden"
)

// TestGoldenRecommendations holds the columns of the Parquet file, and the same rows as CSV.
func TestGoldenRecommendations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add([]Row{{"103", 1, "S10_1678", 0.75, "customer"}, {"103", 2, "S12_1099", 0.5, "customer"},
		{`a "b", c`, 1, "S18_1749", 12, "popularity"}}); err != nil {
		t.Fatal(err)
	}
	files, err := w.Close()
	if err != nil || len(files) != 2 || files[0].Rows != 3 || files[1].Rows != 3 {
		t.Fatalf("%+v, %v", files, err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, files[1].Path))
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "recommendations.csv", lines)
	schema := parquet.NewSchema("recommendation", parquet.SchemaOf(Row{}))
	golden.Equal(t, "schema.golden", []byte(schema.String()+"\n"))
}
