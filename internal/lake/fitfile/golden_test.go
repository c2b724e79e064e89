package fitfile

import (
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/platform/golden"
)

// TestGoldenFits holds the columns that other programs read.
func TestGoldenFits(t *testing.T) {
	t.Parallel()
	text := parquet.NewSchema("part", parquet.SchemaOf(Interaction{})).String() + "\n" +
		parquet.NewSchema(Questions, parquet.SchemaOf(Question{})).String() + "\n"
	golden.Equal(t, "schema.golden", []byte(text))
}
