package stack

import (
	"errors"
	"fmt"

	"kindred/internal/platform/program"
)

// ErrConfig marks a variable or setting that the caller must mend.
var ErrConfig = program.ErrConfig

// ErrNotRunning says that a part of the stack has no process.
var ErrNotRunning = errors.New("does not run")

var (
	errNoEngine  = errors.New("no container engine answers")
	errNoCompose = errors.New("the container engine has no compose")
)

// PortTakenError says that another process listens on a part's port.
type PortTakenError struct {
	Port     int
	Owner    string // "process 12 (nginx)" or "another process"
	Variable string // the environment variable that chooses another port
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("port %d is taken by %s: end it, or choose another port with %s=<port>", e.Port, e.Owner,
		e.Variable)
}
