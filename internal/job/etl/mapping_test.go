package etl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/shop/mapping"
)

func TestMappingFileOfTheExampleIsRead(t *testing.T) {
	t.Parallel()
	m, err := readMapping(t.Context(), filepath.Join("..", "..", "..", "testdata", "shop-mapping", "shop.sql"))
	if err != nil || m.Customers == "" || m.Products == "" || m.Ratings == "" {
		t.Errorf("%+v, error %v", m, err)
	}
	folder, err := filepath.Abs(filepath.Join("..", "..", "..", "testdata", "shop-mapping"))
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := readMapping(t.Context(), "file://"+folder+"/shop.sql"); err != nil || stored != m {
		t.Errorf("the same in a store: %+v, error %v", stored, err)
	}
	if m, err := readMapping(t.Context(), ""); err != nil || m != (mapping.Mapping{}) {
		t.Errorf("no file: %+v, error %v", m, err)
	}
	name := filepath.Join(t.TempDir(), "bad.sql")
	if err := os.WriteFile(name, []byte("-- kindred: a\n-- kindred: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMapping(t.Context(), name); err == nil || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), name) {
		t.Errorf("error %v, want one line that names the file", err)
	}
}
