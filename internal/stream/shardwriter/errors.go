package shardwriter

import "errors"

// ErrRefused says that the stream kept refusing records without taking a single one.
var ErrRefused = errors.New("the stream takes no records")

// ErrNoStream says that the stream does not exist.
var ErrNoStream = errors.New("no such stream")
