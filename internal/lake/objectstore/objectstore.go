// Package objectstore keeps whole objects under keys, on S3 or in a local folder, with the same
// rules for both: an object appears complete or not at all, and a conditional write has exactly one
// winner. It owns those two adapters and their conformance suite (package objectstoretest); what
// objects mean, and in which order they are written, belongs to package commit and other callers.
package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kindred/internal/platform/envconfig"
)

// Info describes one stored object.
type Info struct {
	Key      string
	ETag     string // opaque; changes with the content; empty in what List yields
	Size     int64  // bytes
	Modified time.Time
}

// Condition is what must hold for a Put to happen. The zero value is no condition.
type Condition struct {
	IfNoneMatch bool   // the key must be absent
	IfMatch     string // the object must exist with this ETag
}

// Store is a bucket or a folder. Every method is safe for concurrent use, by several processes too.
type Store interface {
	// Get opens an object; the caller closes the body. ErrNotFound when the key is absent.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// GetRange reads size bytes of an object from offset on: fewer where the object ends before, none where it
	// ends at offset or before. ErrNotFound when the key is absent.
	GetRange(ctx context.Context, key string, offset, size int64) ([]byte, error)
	// Put writes size bytes of body, read from its start. ErrPrecondition when cond does not hold;
	// nothing is written then. Because a lost answer is repeated, ErrPrecondition can also mean that
	// this very call has won: who must know reads the object back.
	Put(ctx context.Context, key string, body io.ReadSeeker, size int64, cond Condition) (Info, error)
	// List yields the objects whose key begins with prefix, in the order of their keys' bytes. After
	// an error it ends.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes an object. An absent key is no error.
	Delete(ctx context.Context, key string) error
	// String is the store's URL, for messages.
	String() string
}

// locations are what Open understands, for messages.
const locations = "a bucket, s3://bucket/prefix or file:///folder"

// Open finds the store at a bucket name, s3://bucket/prefix or file:///folder. S3's configuration
// comes from the environment. A location that cannot be a store, or a bucket that is not there, is
// ErrLocation. A folder need not exist.
func Open(ctx context.Context, location string) (Store, error) {
	if location == "" {
		return nil, fmt.Errorf("%w: no location is given, want %s", ErrLocation, locations)
	}
	if !strings.Contains(location, "://") {
		location = "s3://" + location
	}
	u, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no URL", ErrLocation, location)
	}
	switch {
	case u.RawQuery != "" || u.Fragment != "": // a path that holds ? or # would be cut there and mean another place
		return nil, fmt.Errorf("%w: %q holds ? or #, write %%3F or %%23", ErrLocation, location)
	case u.Scheme == "s3" && u.Host != "":
		return openS3(ctx, u.Host, u.Path)
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		if info, err := os.Stat(u.Path); err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%w: %s is a file, want a folder", ErrLocation, u.Path)
		}
		return NewFolder(u.Path), nil
	}
	return nil, fmt.Errorf("%w: %q is not %s", ErrLocation, location, locations)
}

// OpenSetting is Open for the value of a flag or environment variable. Where that is at fault, as
// where it is empty, the error is envconfig.ErrConfig too.
func OpenSetting(ctx context.Context, name, location string) (Store, error) {
	if location == "" {
		return nil, fmt.Errorf("%w: %w: %w", envconfig.ErrConfig, ErrLocation,
			envconfig.NotSetError{Variable: name, Want: locations})
	}
	store, err := Open(ctx, location)
	if errors.Is(err, ErrLocation) {
		return nil, fmt.Errorf("%w: open %s: %w", envconfig.ErrConfig, name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return store, nil
}

// ReadAll reads a small object whole. ErrNotFound when the key is absent.
func ReadAll(ctx context.Context, store Store, key string) ([]byte, Info, error) {
	body, info, err := store.Get(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	data, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, Info{}, fmt.Errorf("read %s of %s: %w", key, store, err)
	}
	return data, info, nil
}
