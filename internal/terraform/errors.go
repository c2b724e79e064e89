package terraform

import "errors"

// ErrChanges says that a plan that should be empty is not.
var ErrChanges = errors.New("the plan is not empty")
