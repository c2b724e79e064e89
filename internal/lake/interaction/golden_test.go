package interaction

import (
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/platform/golden"
)

// TestGoldenInteractions holds the columns of interactions.parquet that `train` reads.
func TestGoldenInteractions(t *testing.T) {
	t.Parallel()
	schema := parquet.NewSchema("interactions", parquet.SchemaOf(Interaction{}))
	golden.Equal(t, "schema.golden", []byte(schema.String()+"\n"))
}

// TestGoldenClicks holds the columns of clicks.parquet.
func TestGoldenClicks(t *testing.T) {
	t.Parallel()
	schema := parquet.NewSchema("clicks", parquet.SchemaOf(Click{}))
	golden.Equal(t, "clicks.golden", []byte(schema.String()+"\n"))
}
