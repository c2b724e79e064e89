package etl

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"kindred/internal/lake/objectstore"
	"kindred/internal/shop/mapping"
)

// readMapping reads a mapping file, or an object that is named s3://bucket/key. Without a name it is empty: the
// shop's tables are kindred's own.
func readMapping(ctx context.Context, name string) (mapping.Mapping, error) {
	if name == "" {
		return mapping.Mapping{}, nil
	}
	data, err := readNamed(ctx, name)
	if err != nil {
		return mapping.Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	m, err := mapping.Parse(string(data))
	if err != nil {
		return mapping.Mapping{}, fmt.Errorf("read mapping %s: %w", name, oneLine(err))
	}
	return m, nil
}

func readNamed(ctx context.Context, name string) ([]byte, error) {
	if !strings.Contains(name, "://") {
		return os.ReadFile(name)
	}
	folder, key := path.Split(name)
	store, err := objectstore.Open(ctx, strings.TrimSuffix(folder, "/"))
	if err != nil {
		return nil, err
	}
	data, _, err := objectstore.ReadAll(ctx, store, key)
	return data, err
}
