package modelfile

import "errors"

// ErrFormat means that a run is not a model version, or one of a format that this program does not read.
var ErrFormat = errors.New("not a model version of a known format")
