package objectstore

import "errors"

var (
	// ErrNotFound means that no object has this key.
	ErrNotFound = errors.New("no such object")
	// ErrPrecondition means that the condition of a Put did not hold.
	ErrPrecondition = errors.New("object changed meanwhile or exists already")
	// ErrLocation means that no store can be at the given location: the caller names another or
	// creates the bucket.
	ErrLocation = errors.New("no object store")
)
