package ials

import "errors"

var (
	// ErrNoInteractions says that there is nothing to learn from.
	ErrNoInteractions = errors.New("no interactions to learn from")
	// ErrInvalid marks parameters or input that no solution exists for: sizes that disagree, values
	// that are not finite.
	ErrInvalid = errors.New("invalid input")
	// ErrSingular says that a row's equations have no stable solution; more regularisation mends it.
	ErrSingular = errors.New("equations are singular")
)
