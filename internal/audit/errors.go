package audit

import "errors"

// ErrUnaccounted says that an audit found a fault: an event lost, or an output that nothing explains.
var ErrUnaccounted = errors.New("not every event is accounted for")
