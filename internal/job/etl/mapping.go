package etl

import (
	"fmt"
	"os"

	"kindred/internal/shop/mapping"
)

// readMapping reads a mapping file. Without a name it is empty: the shop's tables are kindred's own.
func readMapping(name string) (mapping.Mapping, error) {
	if name == "" {
		return mapping.Mapping{}, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return mapping.Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	m, err := mapping.Parse(string(data))
	if err != nil {
		return mapping.Mapping{}, fmt.Errorf("read mapping %s: %w", name, oneLine(err))
	}
	return m, nil
}
