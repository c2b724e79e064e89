package provision

import "errors"

// ErrWrongTarget says that the AWS configuration does not lead to the emulator that the settings are for.
var ErrWrongTarget = errors.New("not the local stack")
