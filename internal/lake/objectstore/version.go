package objectstore

import (
	"context"
	"io"
	"iter"
)

// Version is what an object was before it was overwritten or deleted.
type Version struct {
	Info
	ID string // which of the object's versions it is
}

// Keeper is a store that may keep what was overwritten or deleted. A folder keeps nothing.
type Keeper interface {
	Store
	// Versions yields what is kept of the objects whose keys begin with prefix: of those that are there, all but what
	// Get returns. After an error it ends. A bucket without versioning keeps nothing.
	Versions(ctx context.Context, prefix string) iter.Seq2[Version, error]
	// GetVersion opens a version; the caller closes it. ErrNotFound when it is gone.
	GetVersion(ctx context.Context, v Version) (io.ReadCloser, error)
	// DeleteVersion deletes a version for ever. One that is gone is no error.
	DeleteVersion(ctx context.Context, v Version) error
}
