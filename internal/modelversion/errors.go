package modelversion

import "errors"

var (
	// ErrInvalid means that a version does not agree with itself: dimensions, order, values that are not finite, a Gram
	// matrix of other items. The error's text names the fault.
	ErrInvalid = errors.New("model version is invalid")
	// ErrFormat means that a run is not a model version, or one of a format that this program does not read.
	ErrFormat = errors.New("not a model version of a known format")
)
