package simulation

import (
	"encoding/json"
	"testing"

	"kindred/internal/platform/golden"
)

// TestGoldenConfig holds planted/shop.json, which `seed generate` writes to the lake.
func TestGoldenConfig(t *testing.T) {
	t.Parallel()
	data, err := json.MarshalIndent(DefaultConfig(1), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "shop.json", append(data, '\n'))
}
