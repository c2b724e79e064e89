package erased

import (
	"context"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// Setting says where the list is, for a program that needs nothing else of the lake.
type Setting struct {
	Lake    envconfig.Lake    `embed:"" set:"lake_use=optional; with it, the program knows which persons were erased"`
	Erasure envconfig.Erasure `embed:""`
}

// Read reads the list, if there is a lake.
func (s Setting) Read(ctx context.Context) (*List, error) {
	if s.Lake.Bucket == "" {
		return nil, nil
	}
	store, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", s.Lake.Bucket)
	if err != nil {
		return nil, err
	}
	return Read(ctx, store, s.Erasure.Secret)
}
