package terraform

import "errors"

var (
	// ErrChanges says that a plan that should be empty is not.
	ErrChanges = errors.New("the plan is not empty")
	// ErrWrongTarget says that a promotion would reach another account or region.
	ErrWrongTarget = errors.New("wrong target")
	// ErrNotConfirmed says that the environment's name was not typed.
	ErrNotConfirmed = errors.New("not confirmed: nothing was changed")
	// ErrUncommitted says that the tree holds what no commit has.
	ErrUncommitted = errors.New("the tree has changes that are not committed: what is promoted must be found again")
)
