// Package results keeps what a benchmark has measured as JSON, beside what it prints.
package results

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes v to bench/<benchmark>/results.json in the state folder.
func Write(state, benchmark string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	folder := filepath.Join(state, "bench", benchmark)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make folder of results: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "results.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
