package verify

import "errors"

var (
	// ErrUnaccounted says that an audit found a fault: an event lost, or an output that nothing explains.
	ErrUnaccounted = errors.New("not every event is accounted for")
	// ErrNoEvents says that the audited window holds no record: the audit proves nothing.
	ErrNoEvents = errors.New("no event to account for")
	// ErrUnknown says that events name products that the models do not know, more than new ones explain.
	ErrUnknown = errors.New("events name products that the models do not know")
)
