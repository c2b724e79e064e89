package promotion

import "errors"

var (
	// ErrChanges says that a plan that should be empty is not.
	ErrChanges = errors.New("the plan is not empty")
	// ErrWrongTarget says that a promotion would change another account or region.
	ErrWrongTarget = errors.New("wrong target")
	// ErrConcurrency says that the account cannot reserve what the variables want.
	ErrConcurrency = errors.New("the account cannot reserve executions")
	// ErrNoAuthority says that nothing can verify the certificate of the shop's MySQL.
	ErrNoAuthority = errors.New("no authority for the shop's MySQL")
	// ErrNotConfirmed says that the environment's name was not typed.
	ErrNotConfirmed = errors.New("not confirmed: nothing was changed")
	// ErrAnotherApply says that another apply holds the state's lock or came first, so that nothing was applied.
	ErrAnotherApply = errors.New("another apply was faster: nothing was changed")
	// ErrUncommitted says that the working tree differs from its commit.
	ErrUncommitted = errors.New("the clone has uncommitted changes: commit them first, so that what runs can be found " +
		"later")
	// ErrRolledBack says that a promotion failed after the functions' alias moved, and that it calls the
	// previous versions again.
	ErrRolledBack = errors.New("the promotion was rolled back")
	// ErrOtherImage says that the registry has another image with this tag.
	ErrOtherImage = errors.New("the tag belongs to another image")
	// ErrDuckDB says that the folder of --duckdb does not hold a DuckDB that starts in the image.
	ErrDuckDB = errors.New("no DuckDB for Linux on ARM64")
	// ErrNoTunnel says that an environment has no way from outside to its vector database.
	ErrNoTunnel = errors.New("the environment has no tunnel")
	// ErrTask says that a task did not start, or failed.
	ErrTask = errors.New("the task failed")
	// ErrAnswer says that a function's new version could not answer.
	ErrAnswer = errors.New("the new version does not answer")
	// ErrAlarm says that an alarm was raised while a share of the calls met the new versions.
	ErrAlarm = errors.New("an alarm was raised")
	// ErrUnconfirmed says that somebody who should get alarms gets none.
	ErrUnconfirmed = errors.New("a subscription to the alarms is not confirmed")
	// ErrNotSent says that CloudWatch did not send an alarm on.
	ErrNotSent = errors.New("an alarm was not sent")
	// ErrChain says that etl, train and publish did not succeed.
	ErrChain = errors.New("the chain failed")
)
