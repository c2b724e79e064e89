package envconfig

import (
	"errors"
	"fmt"
)

// ErrConfig marks an error that the caller corrects with other flags or variables. Programs end with
// exit code 2 then.
var ErrConfig = errors.New("bad configuration")

// ErrAbsent marks an error about a resource that the configuration names and that does not exist,
// such as a bucket or a stream.
var ErrAbsent = errors.New("does not exist")

// NotSetError says that a variable, or the flag in its place, has no value.
type NotSetError struct {
	Variable string // its name
	Want     string // what its value looks like; may be empty
}

// Error is a sentence.
func (e NotSetError) Error() string {
	if e.Want == "" {
		return e.Variable + " is not set"
	}
	return fmt.Sprintf("%s is not set, want %s", e.Variable, e.Want)
}
