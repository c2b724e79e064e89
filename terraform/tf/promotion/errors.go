package promotion

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
	// ErrTakenBack says that a promotion failed after its apply, and that the functions' alias calls
	// what it called before.
	ErrTakenBack = errors.New("the promotion was taken back")
	// ErrOtherImage says that the registry has another image under the tag.
	ErrOtherImage = errors.New("the tag is taken")
	// ErrTask says that a task did not start, or did not end well.
	ErrTask = errors.New("the task failed")
	// ErrChain says that etl, train and publish did not succeed.
	ErrChain = errors.New("the chain failed")
)
