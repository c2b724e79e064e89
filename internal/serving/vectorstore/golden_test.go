package vectorstore

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kindred/internal/platform/golden"
)

// TestGoldenTables holds the columns that every program expects. The integration tests compare them
// with what migrations and loads make.
func TestGoldenTables(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for _, schema := range []struct {
		name   string
		tables columns
	}{{"kindred", registry}, {"model_VERSION", formDense.tables(true, true, true)}} {
		for _, table := range slices.Sorted(maps.Keys(schema.tables)) {
			fmt.Fprintf(&text, "%s.%s\n", schema.name, table)
			fmt.Fprintf(&text, "  %s\n", strings.Join(schema.tables[table], ", "))
		}
	}
	golden.Equal(t, "tables.txt", text.Bytes())
}
