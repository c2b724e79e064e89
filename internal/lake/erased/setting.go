package erased

import (
	"context"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awssecret"
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
	return ReadWith(ctx, store, s.Erasure)
}

// ReadWith is Read with the secret where it is set.
func ReadWith(ctx context.Context, lake objectstore.Store, setting envconfig.Erasure) (*List, error) {
	secret, err := Secret(ctx, setting)
	if err != nil {
		return nil, err
	}
	return Read(ctx, lake, secret)
}

// Secret is the secret that is set: itself, or by its name in Secrets Manager. It is empty if neither is.
func Secret(ctx context.Context, setting envconfig.Erasure) (string, error) {
	if setting.Secret != "" || setting.SecretARN == "" {
		return setting.Secret, nil
	}
	return awssecret.Read(ctx, setting.SecretARN)
}
