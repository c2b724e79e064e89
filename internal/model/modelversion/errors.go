package modelversion

import "errors"

// ErrInvalid means that a version does not agree with itself: dimensions, order, values that are
// not finite, a Gram matrix of other items. The error's text names the fault.
var ErrInvalid = errors.New("model version is invalid")
