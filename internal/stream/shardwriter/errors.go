package shardwriter

import "errors"

// ErrRefused says that the stream kept refusing records without taking a single one.
var ErrRefused = errors.New("the stream takes no records")

// ErrNoStream says that the stream does not exist. Its method Undeployed tells a program that a
// deployment would make it.
var ErrNoStream error = noStream{}

type noStream struct{}

func (noStream) Error() string { return "no such stream" }
func (noStream) Undeployed()   {}
