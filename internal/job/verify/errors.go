package verify

import "errors"

var (
	// ErrUnaccounted says that an audit found a fault: an event lost, or an output that nothing explains.
	ErrUnaccounted = errors.New("not every event is accounted for")
	// ErrNoEvents says that the audited window holds no record: the audit proves nothing.
	ErrNoEvents = errors.New("no event to account for")
)
