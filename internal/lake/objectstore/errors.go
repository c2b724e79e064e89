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
	// ErrNoBucket is an ErrLocation: the bucket does not exist. Its method Undeployed tells a program
	// that a deployment would make it.
	ErrNoBucket error = noBucket{}
)

type noBucket struct{}

func (noBucket) Error() string { return ErrLocation.Error() }
func (noBucket) Unwrap() error { return ErrLocation }
func (noBucket) Undeployed()   {}
